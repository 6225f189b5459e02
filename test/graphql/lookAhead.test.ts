import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { positionIn } from '../../src/events/position.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { at, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl });
const other = new pg.Client(databaseUrl);
await other.connect();
afterAll(() => other.end());
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const ben = await server.signIn(person('acme', 'Ben'));

describe('what the fields of a room ask for is looked up together with the room', () => {
  test('R5 and is never older than the cursor beside it: who subscribes from there misses nothing', async () => {
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'busy' });
    const uuid = decodeId(roomId)?.uuid ?? '';
    await send(ana, roomId, 'the first');
    const page = `query Page($roomId: ID!) { room(id: $roomId) { messages(last: 1) { nodes { cursor body } } cursor } }`;
    for (let turn = 0; turn < 4; turn++) {
      // Keeps back who looks at the room and its members, but not who reads messages.
      await other.query('BEGIN');
      await other.query('LOCK TABLE members IN ACCESS EXCLUSIVE MODE');
      const asked = ana.query(page, { roomId });
      await waitFor('the room to be asked for', async () => {
        const { rows } = await other.query('SELECT FROM pg_locks WHERE NOT granted');
        return rows.length > 0;
      });
      await other.query(
        `WITH room AS (
           UPDATE rooms SET version = version + 1, message_count = message_count + 1, last_message_seq = version + 1
           WHERE id = $1 RETURNING *
         )
         INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body)
         SELECT tenant_id, gen_random_uuid(), id, version, 'TEXT', creator_id, $2 FROM room`,
        [uuid, `number ${turn}`],
      );
      await other.query('COMMIT');
      const { data } = await asked;
      expect(at(data, 'room.messages.nodes.0.body')).toBe(`number ${turn}`);
      const newest = positionIn([uuid], textAt(data, 'room.messages.nodes.0.cursor'), 'cursor');
      expect(newest).toBeGreaterThanOrEqual(positionIn([uuid], textAt(data, 'room.cursor'), 'cursor'));
    }
  });

  test('T4 and not shown to who may not see the room, or not read in it', async () => {
    const groupId = await createRoom(ana, { kind: 'GROUP', name: 'closed' });
    const channelId = await createRoom(ana, { kind: 'CHANNEL', name: 'open' });
    for (const roomId of [groupId, channelId]) await send(ana, roomId, 'a secret');
    const page = `query Page($roomId: ID!) {
      room(id: $roomId) { id members { nodes { actor { name } } } ...Said again: messages(first: 1) { nodes { body } } }
    } fragment Said on Room { messages { nodes { body } } }`;
    for (let turn = 0; turn < 4; turn++) {
      expect(at(await ben.query(page, { roomId: groupId }), 'data.room')).toBeNull();
      expect(at(await ben.query(page, { roomId: channelId }), 'data.room')).toMatchObject({
        id: channelId,
        messages: null,
        again: null,
      });
      expect(at(await ana.query(page, { roomId: groupId }), 'data.room')).toMatchObject({
        members: { nodes: [{ actor: { name: 'Ana' } }] },
        messages: { nodes: [{ body: 'a secret' }] },
        again: { nodes: [{ body: 'a secret' }] },
      });
    }
    await act(ben, 'joinRoom', { roomId: channelId });
    const joined = await ben.query(page, { roomId: channelId });
    expect(JSON.stringify(at(joined, 'data.room.messages'))).toContain('a secret');
  });

  test('T6 and wrong arguments are told by the field that has them, whether it is looked up before or not', async () => {
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'wrong' });
    for (const condition of ['', '@include(if: true)']) {
      for (const [args, reason] of [
        ['first: 101', 'has to be from 1 to 100'],
        ['after: "nonsense"', 'not a cursor of this list'],
        ['first: 1, last: 1', 'give either first or last'],
      ]) {
        const answer = await ana.query(
          `{ room(id: "${roomId}") { id messages(${args}) ${condition} { nodes { id } } } }`,
        );
        expect(at(answer, 'data.room')).toEqual({ id: roomId, messages: null });
        expect(answer.errors).toEqual([expect.objectContaining({ message: expect.stringContaining(reason ?? '') })]);
      }
    }
  });
});
