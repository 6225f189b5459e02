import { describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import type { TenantRole } from '../../src/kernel/actor.ts';
import { tenantGrants } from '../../src/policy/matrix.ts';
import { permissions } from '../../src/policy/permissions.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { digestOf } from '../support/auditTampering.ts';
import { at, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { createTrespasses, type Targets, type Trespass } from '../support/trespasses.ts';
import { waitFor } from '../support/waiting.ts';

const total = Number(process.env.TEST_TRESPASSES ?? 1_000);
const inParallel = 8;

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const settings = {
  ...{ RATE_QUERIES: '0', RATE_MUTATIONS: '0', RATE_SUBSCRIPTIONS: '0', RATE_SENDS: '0' },
  // What is asked for is a little more than anybody would: it shall be refused for who asks.
  ...{ LIMIT_COST: '100000000', LIMIT_ALIASES: '10000', LIMIT_TOKENS: '100000', WS_SOCKETS_PER_USER: '1000' },
};
const server = await startServer({ databaseUrl, redisUrl, redisPrefix, settings });

const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const bruno = await server.signIn(person('acme', 'Bruno'));
const rooms = [
  await createRoom(ana, { kind: 'GROUP', name: 'topsecret-name', memberIds: [bruno.id] }),
  await createRoom(ana, { kind: 'GROUP', name: 'topsecret-other' }),
  await openDirectRoom(ana, bruno.id),
];
const messages: string[] = [];
const cursors: string[] = [];
for (const room of rooms) {
  const { id, cursor } = await send(ana, room, 'topsecret-body');
  messages.push(id, (await send(ana, room, 'topsecret-reply', { replyToId: id })).id);
  cursors.push(cursor);
}
await act(ana, 'editMessage', { messageId: messages[0], body: 'topsecret-edited' });
const longAgo = { before: '2001-01-01T00:00:00.000Z', mode: 'SOFT', roomId: rooms[0] };
const purge = textAt(await act(ana, 'purgeMessages', longAgo, 'purge { id }'), 'purge.id');

const users = [ana.id, bruno.id];
const hiddenIds: readonly string[] = [...rooms, ...messages, purge];
const targets: Targets = {
  Room: rooms,
  Message: messages,
  Purge: [purge],
  User: users,
  Node: [...hiddenIds, ...users],
  cursor: cursors,
};

/** Everything about an intruder. */
interface Intruder {
  readonly who: string;
  readonly visitor: Visitor;
  /** Of the victims. */
  readonly hidden: readonly string[];
  /** Whether it is the intruder's right, so that nothing is refused. */
  readonly mayDo: (trespass: Trespass) => boolean;
}

const permissionOf = ({ field }: Trespass) => String(at(field.extensions, 'directives.auth.permission'));

/** What a role grants in the tenant, where nothing of others is named. */
const grantedTo = (role: TenantRole) => (trespass: Trespass) =>
  tenantGrants[role].some((granted) => granted === permissionOf(trespass) && permissions[granted].scope === 'tenant') &&
  trespass.aims.every((slot) => slot === 'User');

const intruders: readonly Intruder[] = [
  {
    who: "another tenant's admin",
    visitor: await server.signIn(person('evil', 'Mallory', 'admin')),
    hidden: [...hiddenIds, ...users, 'acme'],
    mayDo: ({ aims }) => aims.length === 0,
  },
  {
    who: 'an agent of the tenant who is in none of the rooms',
    visitor: await server.signIn(person('acme', 'Stefan')),
    hidden: hiddenIds,
    mayDo: grantedTo('AGENT'),
  },
];

const random = createRandom('trespasses');
const trespass = createTrespasses(schema, random, targets);
const leaks = /topsecret|INTERNAL_SERVER_ERROR|node_modules|file:\/\/|\n\s+at .+:\d+/;
/** Nothing else was wrong with it. */
const refusals: readonly unknown[] = ['FORBIDDEN', 'NOT_FOUND', 'NotFoundError'];

interface Outcome {
  readonly errors: readonly unknown[];
  readonly data?: unknown;
}

async function overSocket(follow: Visitor['subscribe'], { query, variables }: Trespass): Promise<Outcome> {
  const follower = follow(query, variables);
  const { received, failures } = follower;
  try {
    await waitFor(
      () => `an answer to ${query} ${JSON.stringify(variables)}`,
      () => follower.ended || received.length + failures.length > 0,
    );
    return { errors: failures, data: received[0] };
  } finally {
    await follower.stop();
  }
}

function perform({ visitor }: Intruder, asked: Trespass): Promise<Outcome> {
  if (asked.kind === 'subscription') return overSocket(random.pick([visitor.subscribe, visitor.stream]), asked);
  return random.integer(5) === 0 ? overSocket(visitor.subscribe, asked) : visitor.query(asked.query, asked.variables);
}

describe.each(intruders)('G1, G3 $who', (intruder) => {
  test(`gets nothing by ${total} operations with which nothing else is wrong, and changes nothing`, async () => {
    const before = await digestOf(databaseUrl, 'acme');
    const findings: string[] = [];
    let left = total;
    let refused = 0;
    const attack = async () => {
      while (left-- > 0) {
        const asked = trespass(random.pick(['query', 'mutation', 'mutation', 'subscription'] as const));
        if (asked.kind !== 'query' && intruder.mayDo(asked)) continue;
        const outcome = await perform(intruder, asked);
        const received = JSON.stringify(outcome);
        const code = at(outcome.errors[0], 'extensions.code') ?? at(outcome.data, `${asked.field.name}.__typename`);
        const told = intruder.hidden.filter((secret) => received.includes(secret));
        const refusedForAccess = asked.kind === 'query' || refusals.includes(code);
        if (leaks.test(received) || told.length > 0 || !refusedForAccess) {
          const sent = `${asked.query}\n  ${JSON.stringify(asked.variables)}`;
          findings.push(`${told.join()} ${code}\n  sent: ${sent}\n  received: ${received.slice(0, 800)}`);
        }
        refused++;
      }
    };
    await Promise.all(Array.from({ length: inParallel }, attack));
    console.log(`${refused} operations of ${intruder.who}`);
    expect(findings.slice(0, 5).join('\n\n'), `${findings.length} findings`).toBe('');
    expect(await digestOf(databaseUrl, 'acme')).toBe(before);
    expect(server.log.traces()).toEqual([]);
  }, 120_000);
});
