import { defineConfig } from 'prisma/config';

// `prisma generate` needs only the WebAssembly that ships in its package, but it refuses to run before it has found
// a native schema engine, which npm does not carry. Any executable satisfies that check. Migrations run on the
// WebAssembly schema engine (src/db/migrations.ts), so the native one is never started.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({
  schema: '../prisma/schema.prisma',
  migrations: { path: '../prisma/migrations' },
});
