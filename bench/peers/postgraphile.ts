import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify } from 'jose';
import pg from 'pg';
import { postgraphile } from 'postgraphile';
import { PgSelectStep, TYPES } from 'postgraphile/@dataplan/pg';
import { makePgService } from 'postgraphile/adaptors/pg';
import { ConnectionStep, constant, context } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import type {} from 'postgraphile/graphile-build';
import { sql } from 'postgraphile/pg-sql2';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { addPgTableCondition, wrapPlans } from 'postgraphile/utils';

// PostGraphile 5 over the same tables: its own connection of messages with its own relation to the author, its prepared
// statements and its cache of plans. Two plugins of a few lines give what the others have too: only messages of rooms
// that the viewer is a member of, and a condition on the place in the room. Row-level security, which many use for the
// first, would cost it a transaction for each request.

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
const secret = new TextEncoder().encode(process.env.SECRET);
const tenant = process.env.TENANT_ID ?? '';
const viewers = new Map<string, Promise<string>>();

async function verified(token: string): Promise<string> {
  const { payload } = await jwtVerify(token, secret);
  const { rows } = await pool.query('SELECT id FROM actors WHERE subject = $1', [payload.sub]);
  return rows[0].id;
}

declare global {
  namespace Grafast {
    interface Context {
      viewer: string;
    }
  }
}

const before = addPgTableCondition(
  { schemaName: 'public', tableName: 'messages' },
  'before',
  (build) => ({ type: build.getInputTypeByName('BigInt') }),
  (value, { sqlTableAlias, sqlValueWithCodec }) =>
    sql`${sqlTableAlias}.seq < ${sqlValueWithCodec(value, TYPES.bigint)}`,
);

const ofMembers = wrapPlans({
  Query: {
    allMessages(plan) {
      const $connection = plan();
      const $messages = $connection instanceof ConnectionStep ? $connection.getSubplan() : null;
      if (!($messages instanceof PgSelectStep)) throw new Error('the plan of a connection was expected');
      const ofTenant = $messages.placeholder(constant(tenant), TYPES.uuid);
      const viewer = $messages.placeholder(context().get('viewer'), TYPES.uuid);
      $messages.where(sql`${$messages.alias}.tenant_id = ${ofTenant} AND ${$messages.alias}.deleted_at IS NULL`);
      $messages.where(sql`EXISTS (SELECT FROM members AS member WHERE member.tenant_id = ${ofTenant}
        AND member.room_id = ${$messages.alias}.room_id AND member.actor_id = ${viewer})`);
      return $connection;
    },
  },
});

/** Does not know transaction ids, and says so at length. Nobody asks for them. */
const xid8: GraphileConfig.Plugin = {
  name: 'Xid8Plugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgCodecs_findPgCodec(_, event) {
        if (event.pgType.typname === 'xid8') event.pgCodec = TYPES.text;
      },
    },
  },
};

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [xid8, before, ofMembers],
  pgServices: [makePgService({ pool, schemas: ['public'] })],
  grafserv: { graphqlPath: '/graphql', graphiql: false, websockets: false, watch: false },
  grafast: {
    explain: false,
    context: async ({ node }) => {
      const token = node?.req.headers.authorization?.replace('Bearer ', '') ?? '';
      const viewer = viewers.get(token) ?? verified(token);
      viewers.set(token, viewer);
      return { viewer: await viewer };
    },
  },
});
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/graphql` }));
});
