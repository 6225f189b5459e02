import { describe, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { deleteMessage, editMessage, listMessages, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { addMembers, removeMember } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { setArchived } from '../../src/domains/rooms/rooms.service.ts';
import { DomainError } from '../../src/kernel/errors.ts';
import { encodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 25 });
const admin = await house.callerOf(person('acme', 'Ana', 'admin'));
const bruno = await house.callerOf(person('acme', 'Bruno'));
const carla = await house.callerOf(person('acme', 'Carla'));

const say = (caller: Caller, roomId: string, body: string, nonce?: string) =>
  sendMessage(caller, { roomId, body, nonce, replyToId: undefined });

function newRoom(): Promise<string> {
  const memberIds = [bruno.actor.id, carla.actor.id];
  return createRoom(admin, { kind: 'GROUP', name: 'room', topic: undefined, memberIds });
}

const logVersions = sql<{ version: bigint }>(
  'test.logVersions',
  `SELECT seq AS version FROM messages WHERE tenant_id = $1 AND room_id = $2
   UNION ALL SELECT version FROM room_changes WHERE tenant_id = $1 AND room_id = $2 ORDER BY version`,
);
const roomState = sql<{ version: bigint; messageCount: bigint }>(
  'test.roomState',
  'SELECT version, message_count AS "messageCount" FROM rooms WHERE tenant_id = $1 AND id = $2',
);

/** The log has every version from 1 to the room's, each once. */
async function expectContiguous(roomId: string): Promise<void> {
  const versions = (await admin.db.query(logVersions, roomId)).map((row) => row.version);
  const [state] = await admin.db.query(roomState, roomId);
  expect(versions).toEqual(Array.from({ length: Number(state?.version) }, (_, index) => BigInt(index + 1)));
}

async function bodies(roomId: string): Promise<string[]> {
  const [page] = await listMessages(admin, [roomId], { last: 100 });
  return (page?.rows ?? []).map((row) => row.body);
}

/** Tries, and gives what came of it: the value, or the code of the refusal. */
async function outcome<T>(attempt: Promise<T>): Promise<T | string> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

describe('nonces', () => {
  test('R6 the same nonce sent 50 times at once gives one message, and no version is lost', async () => {
    const roomId = await newRoom();
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, index) => say(bruno, roomId, `try ${index}`, 'once')),
    );
    expect(new Set(sent.map((message) => message.id)).size).toBe(1);
    expect(new Set(sent.map((message) => message.body)).size).toBe(1);
    expect(await bodies(roomId)).toHaveLength(1);
    const [state] = await admin.db.query(roomState, roomId);
    expect(state?.messageCount).toBe(1n);
    await expectContiguous(roomId);
  });

  test('R6 a nonce is the sender’s own, and of one room', async () => {
    const [roomId, elsewhere] = await Promise.all([newRoom(), newRoom()]);
    const sent = [
      await say(bruno, roomId, 'a', 'same'),
      await say(carla, roomId, 'b', 'same'),
      await say(bruno, elsewhere, 'c', 'same'),
    ];
    expect(new Set(sent.map((message) => message.id)).size).toBe(3);
  });

  test('R6 a retry is answered with the first message, also after the room was archived', async () => {
    const roomId = await newRoom();
    const first = await say(bruno, roomId, 'first', 'n');
    await setArchived(admin, roomId, true);
    expect((await say(bruno, roomId, 'again', 'n')).id).toBe(first.id);
    expect(await outcome(say(bruno, roomId, 'new', 'other'))).toBe('ROOM_ARCHIVED');
  });

  test('R6, T4 a retry by somebody who was removed shows nothing', async () => {
    const roomId = await newRoom();
    await say(bruno, roomId, 'first', 'n');
    await removeMember(admin, roomId, bruno.actor.id);
    expect(await outcome(say(bruno, roomId, 'again', 'n'))).toBe('NOT_FOUND');
  });

  test('R6, T7 a retry after the message was deleted gives the deleted message, without its body', async () => {
    const roomId = await newRoom();
    const first = await say(bruno, roomId, 'regretted', 'n');
    await deleteMessage(bruno, first.id);
    expect(await say(bruno, roomId, 'regretted', 'n')).toMatchObject({ id: first.id, body: '' });
  });
});

describe('order', () => {
  test('R5 sends, edits and deletions of many at once get contiguous versions', async () => {
    const roomId = await newRoom();
    const people = [admin, bruno, carla];
    await Promise.all(
      people.flatMap((caller) =>
        Array.from({ length: 20 }, async (_, index) => {
          const message = await say(caller, roomId, `${index}`);
          if (index % 3 === 0) await editMessage(caller, message.id, `${index}, edited`);
          if (index % 5 === 0) await deleteMessage(caller, message.id);
        }),
      ),
    );
    await expectContiguous(roomId);
  });
});

describe('races', () => {
  test('T3 nothing that a member sends lands after the removal', async () => {
    for (let round = 0; round < 10; round++) {
      const roomId = await newRoom();
      const sends = Array.from({ length: 20 }, (_, index) => outcome(say(bruno, roomId, `late ${index}`)));
      const removal = removeMember(admin, roomId, bruno.actor.id);
      const sent = await Promise.all(sends);
      await removal;
      const [page] = await listMessages(admin, [roomId], { last: 100 });
      const rows = page?.rows ?? [];
      const removed = rows.findIndex((row) => row.systemEvent === 'MEMBER_REMOVED');
      expect(removed).toBeGreaterThanOrEqual(0);
      expect(rows.slice(removed + 1)).toEqual([]);
      const landed = sent.filter((result) => typeof result !== 'string');
      expect(landed).toHaveLength(rows.length - 1);
      expect(sent.filter((result) => typeof result === 'string').every((code) => code === 'NOT_FOUND')).toBe(true);
      await addMembers(admin, roomId, [bruno.actor.id]);
      await say(bruno, roomId, 'back again');
      await expectContiguous(roomId);
    }
  });

  test('T1 nothing lands in a room after it was archived', async () => {
    for (let round = 0; round < 10; round++) {
      const roomId = await newRoom();
      const sends = Array.from({ length: 20 }, (_, index) => outcome(say(bruno, roomId, `late ${index}`)));
      const archiving = setArchived(admin, roomId, true);
      const sent = await Promise.all(sends);
      await archiving;
      expect((await bodies(roomId)).at(-1)).toBe('archived the room');
      expect(sent.every((result) => typeof result !== 'string' || result === 'ROOM_ARCHIVED')).toBe(true);
      await expectContiguous(roomId);
    }
  });

  test('T7 an edit and a deletion at once leave a deleted message, whichever comes first', async () => {
    for (let round = 0; round < 10; round++) {
      const roomId = await newRoom();
      const { id } = await say(bruno, roomId, 'unsure');
      const [edit] = await Promise.all([outcome(editMessage(bruno, id, 'sure')), deleteMessage(admin, id)]);
      if (typeof edit === 'string') expect(edit).toBe('MESSAGE_DELETED');
      expect(await bodies(roomId)).toEqual(['']);
      await expectContiguous(roomId);
    }
  });
});

describe('whose messages', () => {
  test('T7 only the author edits; the author and moderators delete', async () => {
    const roomId = await newRoom();
    const { id } = await say(bruno, roomId, 'mine');
    expect(await outcome(editMessage(carla, id, 'yours'))).toBe('FORBIDDEN');
    expect(await outcome(editMessage(admin, id, 'ours'))).toBe('FORBIDDEN');
    expect(await outcome(deleteMessage(carla, id))).toBe('FORBIDDEN');
    expect(await bodies(roomId)).toEqual(['mine']);
    const deleted = await deleteMessage(admin, id);
    const again = await deleteMessage(bruno, id);
    expect(again.message.deletedAt).toEqual(deleted.message.deletedAt);
    await expectContiguous(roomId);
  });

  test('T8 only members are mentioned, each once', async () => {
    const roomId = await newRoom();
    const stranger = await house.callerOf(person('acme', 'Stefan'));
    const mention = (caller: Caller) => `<@${encodeId('User', caller.actor.id)}>`;
    const nobody = await say(bruno, roomId, `hello ${mention(stranger)}`);
    const somebody = await say(bruno, roomId, `hello ${mention(carla)} ${mention(carla)} ${mention(stranger)}`);
    const everybody = await say(bruno, roomId, 'hello <!room>');
    expect([nobody.kind, somebody.kind, everybody.kind]).toEqual(['TEXT', 'MENTION', 'MENTION']);
    const rows = await admin.db.query(
      sql<{ id: string }>(
        'test.mentions',
        'SELECT actor_id AS id FROM mentions WHERE tenant_id = $1 AND message_id = $2',
      ),
      somebody.id,
    );
    expect(rows).toEqual([{ id: carla.actor.id }]);
  });
});
