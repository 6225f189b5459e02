import { expect, test } from 'vitest';
import type { Caller } from '../../src/domains/caller.ts';
import { viewerCursor } from '../../src/domains/messages/following.service.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import type { Delivered } from '../../src/events/delivered.ts';
import { decodeViewerPosition } from '../../src/events/viewerPosition.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';

// Two processes that do not hear each other: the one is behind the other until it compares its rooms with the database.
const databaseUrl = await createTestDatabase();
const [ahead, behind] = await Promise.all([openHouse({ databaseUrl }), openHouse({ databaseUrl })]);
const ana = person('acme', 'Ana', 'admin');

function followAll(caller: Caller, cursor: string) {
  return caller.live.viewer(caller.db.tenantId, caller.actor.id, decodeViewerPosition(cursor, 'after'));
}

/** Resolves when it has come. */
async function saidIn(events: AsyncIterator<Delivered> | undefined, body: string): Promise<void> {
  for (;;) {
    const next = await events?.next();
    if (!next || next.done) throw new Error(`${body} has not come`);
    if ('message' in next.value && next.value.message.body === body) return;
  }
}

test('R5, R9 who resumes on a process that is behind gets nothing twice', async () => {
  const [here, there] = await Promise.all([ahead.callerOf(ana), behind.callerOf(ana)]);
  const input = { kind: 'GROUP', name: 'followed', topic: undefined, memberIds: [] } as const;
  const rooms = [await createRoom(here, input), await createRoom(here, input)] as const;
  const say = (room: string, body: string) =>
    sendMessage(here, { roomId: room, body, nonce: undefined, replyToId: undefined });
  const start = await viewerCursor(here);

  // The other process serves the rooms from here on, and hears nothing of what follows.
  const stay = rooms.map((room) => behind.foundation.live.room(there.db.tenantId, room, 0n));
  // What was in the log comes once a room is served.
  await Promise.all(stay.map((events) => events.next()));

  const before = followAll(here, start);
  let cursor = start;
  for (const body of ['one', 'two', 'three']) {
    await say(rooms[0], body);
    const { value } = await before.next();
    if (value && 'cursor' in value) cursor = value.cursor;
  }
  await before.return?.();

  const after = followAll(there, cursor);
  const first = after.next();
  await say(rooms[1], 'in the other room');
  await behind.foundation.live.compare();
  expect((await first).value).toMatchObject({ message: { body: 'in the other room' } });
  const second = after.next();
  await saidIn(stay[0], 'three');
  await say(rooms[0], 'four');
  await behind.foundation.live.compare();
  expect((await second).value).toMatchObject({ message: { body: 'four' } });
  await after.return?.();
  for (const events of stay) await events.return?.();
});
