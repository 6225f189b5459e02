import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { listMessages, listReplies, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { roomPosition } from '../../src/events/position.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person } from '../support/people.ts';

// PostgreSQL plans the first five executions by their values, and goes on like that where these look cheaper than the
// plan that knows none, by more than planning costs. Here planning costs next to nothing, so that a room of ten thousand
// messages tempts it as one of a hundred thousand would.
const databaseUrl = new URL(await createTestDatabase());
databaseUrl.searchParams.set('options', '-c cpu_operator_cost=0.000001');
const house = await openHouse({ databaseUrl: databaseUrl.href, poolSize: 1 });

const planned = 5;
const plans = sql<{ name: string; custom: bigint; generic: bigint }>(
  'test.plans',
  `SELECT name, custom_plans AS custom, generic_plans AS generic FROM pg_prepared_statements
   WHERE $1::uuid IS NOT NULL AND name ~* '^messages.*(forward|backward)' ORDER BY name`,
);

/** The plan that is kept, which knows no values. */
async function planOf(name: string): Promise<string> {
  const explain = sql<Record<string, string>>(
    `test.explain.${name}`,
    `EXPLAIN EXECUTE "${name}"(NULL, NULL, NULL, NULL, NULL)`,
  );
  const rows = await house.foundation.database.engine.run(explain, []);
  return rows.flatMap((row) => Object.values(row)).join('\n');
}

test('T6 pages of messages are not planned anew each time, however large the room', async () => {
  const admin = await house.callerOf(person('acme', 'Ana', 'admin'));
  const inRoom = { kind: 'GROUP', topic: undefined, memberIds: [] } as const;
  const large = await createRoom(admin, { ...inRoom, name: 'large' });
  const other = await createRoom(admin, { ...inRoom, name: 'other' });
  await fillRoom(admin, large, 10_000);
  await fillRoom(admin, other, 10_000);
  await house.foundation.database.engine.run(sql<never>('test.analyze', 'ANALYZE messages'), []);
  const parent = await sendMessage(admin, {
    roomId: large,
    body: 'a question',
    nonce: undefined,
    replyToId: undefined,
  });
  await sendMessage(admin, { roomId: large, body: 'an answer', nonce: undefined, replyToId: parent.id });
  const again = 10;
  for (let time = 0; time < planned + again; time++) {
    const place = roomPosition(large, BigInt(100 + time));
    for (const bounds of [{ first: 1 }, { last: 1 }]) {
      await listMessages(admin, [large], { ...bounds, after: place });
      await listMessages(admin, [large, other], bounds);
      await listReplies(admin, [parent], bounds);
    }
  }
  const rows = await admin.db.query(plans);
  expect(rows.map(({ name, custom }) => ({ name, custom }))).toEqual(
    ['backward', 'backwardOfOne', 'forward', 'forwardOfOne', 'repliesBackward', 'repliesForward'].map((name) => ({
      name: `messages.${name}`,
      custom: BigInt(planned),
    })),
  );
  for (const { name, generic } of rows) {
    expect(Number(generic)).toBeGreaterThanOrEqual(again);
    const plan = await planOf(name);
    expect(plan).toMatch(/Index Scan (Backward )?using \S+_seq\S* on messages m .*\n.*Index Cond: .*seq > .*seq < /);
    expect(plan).not.toMatch(/Sort|Bitmap/);
  }
});
