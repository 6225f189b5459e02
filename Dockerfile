# syntax=docker/dockerfile:1
# The server as one image: Node runs the TypeScript sources as they are, so nothing is compiled.

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# What `npm ci` needs, the data model included: its postinstall generates the Prisma client into src/db/generated.
COPY package.json package-lock.json ./
COPY .config/prisma.ts .config/prisma.ts
COPY prisma prisma
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24-bookworm-slim
WORKDIR /app
# Inside a container the server must listen beyond the loopback; what reaches it is the container's affair.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DATA_DIR=/app/data
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY prisma prisma
COPY src src
COPY --from=dependencies /app/src/db/generated src/db/generated
# The sources stay root's: the server can write to its data folder only.
RUN install -d -o node -g node /app/data
VOLUME /app/data
USER node
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--use-largepages=silent", "--min-semi-space-size=24", "--max-semi-space-size=32", "src/main.ts"]
