import { expect, test } from 'vitest';
import { encodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import type { Follower } from '../support/follower.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { watchStatements } from '../support/statements.ts';

const databaseUrl = await createTestDatabase();
const statements = watchStatements();
const first = await startServer({ databaseUrl });
const ana = await first.signIn(person('acme', 'Ana', 'admin'));
const people = Array.from({ length: 200 }, (_, index) => person('acme', `member ${index}`));
const memberIds: string[] = [];
for (const member of people) memberIds.push((await first.signIn(member)).id);
const room = await createRoom(ana, { kind: 'GROUP', name: 'crowded', memberIds: memberIds.slice(0, 100) });
await act(ana, 'addMembers', { roomId: room, userIds: memberIds.slice(100) });

const follows = `subscription Follow($room: ID!, $after: String) {
  messageAdded(roomId: $room, after: $after) { ... on MessageAdded { cursor message { id body } } ... on ResyncRequired { reason } }
}`;

interface Sent {
  readonly id: string;
  readonly cursor: string;
}

/** What a socket receives, as text. */
const shown = (events: Follower) =>
  events.received.map(
    (value) => `${textAt(value, 'messageAdded.message.id')} ${at(value, 'messageAdded.message.body')}`,
  );

/** All come back at once to a process that has just been started, each at one of the places. */
async function storm(sockets: number, places: readonly Sent[], expected: (place: Sent) => readonly string[]) {
  const server = await startServer({ databaseUrl });
  const tokens = await Promise.all(people.slice(0, sockets).map((member) => signToken(member)));
  let followers: { readonly events: Follower; readonly place: Sent }[] = [];
  // Nobody says who they are before all are there: on a busy machine they would come one by one, and be no crowd.
  const everybody = Promise.withResolvers<void>();
  let there = 0;
  const opened = () => {
    if (++there === sockets) everybody.resolve();
    return everybody.promise;
  };
  const started = performance.now();
  const sent = await statements.during(async () => {
    followers = tokens.map((token, index) => {
      const place = places[index % places.length];
      if (!place) throw new Error('there is no place to go on from');
      const events = createClient(server.url, token, opened).subscribe(follows, { room, after: place.cursor });
      return { events, place };
    });
    for (const { events, place } of followers) {
      await events.until('all that was missed', ({ length }) => length >= expected(place).length);
    }
  });
  const seconds = Math.round(performance.now() - started) / 1_000;
  const live = await send(ana, room, `for ${sockets} sockets`);
  await server.foundation.live.compare();
  for (const { events, place } of followers) {
    await events.until('what is sent now', ({ length }) => length > expected(place).length);
    expect(shown(events)).toEqual([...expected(place), `${live.id} for ${sockets} sockets`]);
    expect(events.failures).toEqual([]);
    await events.stop();
  }
  await server.stop();
  return { sent, seconds };
}

test('R5 when everybody comes back at once, the statements do not grow with the sockets', async () => {
  const messages: Sent[] = [];
  for (let index = 0; index < 120; index++) messages.push(await send(ana, room, `message ${index}`));
  const [edited, deleted, ...others] = messages.slice(50);
  await act(ana, 'editMessage', { messageId: edited?.id, body: 'edited since' });
  await act(ana, 'deleteMessage', { messageId: deleted?.id });
  const places = messages.slice(0, 10);
  const bodies = new Map(messages.map(({ id }, index) => [id, `message ${index}`]));
  bodies.set(edited?.id ?? '', 'edited since').set(deleted?.id ?? '', 'null');
  const after = (place: Sent) => messages.slice(messages.indexOf(place) + 1).map(({ id }) => `${id} ${bodies.get(id)}`);
  expect(others.length).toBeGreaterThan(50);

  const few = await storm(20, places, after);
  const laterMessage = await last();
  messages.push(laterMessage);
  bodies.set(laterMessage.id, 'for 20 sockets');
  const many = await storm(200, places, after);
  const kinds = Map.groupBy(many.sent, (text) => text.replace(/\s+/g, ' ').slice(0, 80));
  const told = [...kinds].map(([text, all]) => `${all.length} ${text}`).join('\n');
  console.log(`statements: ${few.sent.length} for 20 sockets, ${many.sent.length} for 200 in ${many.seconds} s`);
  // Six for all of them, most often, and so many for each without sharing.
  expect(many.sent.length, told).toBeLessThan(60);
});

/** The newest message of the room. */
async function last(): Promise<Sent> {
  const query = 'query ($room: ID!) { room(id: $room) { messages(last: 1) { nodes { id cursor } } } }';
  const { data } = await ana.query(query, { room });
  return { id: textAt(data, 'room.messages.nodes.0.id'), cursor: textAt(data, 'room.messages.nodes.0.cursor') };
}

test('R5, R7 whoever may not come back is refused, among all who may', async () => {
  const [outsider, removed, fine] = [person('acme', 'outsider'), people[150], people[151]];
  if (!removed || !fine) throw new Error('nobody is there');
  await first.signIn(outsider);
  await act(ana, 'removeMember', { roomId: room, userId: memberIds[150] });
  const place = await last();
  const server = await startServer({ databaseUrl });
  const elsewhere = person('other', 'member 151', 'admin');
  const asked = [outsider, removed, fine, elsewhere];
  const followers = await Promise.all(
    asked.map(async (who) =>
      createClient(server.url, await signToken(who)).subscribe(follows, { room, after: place.cursor }),
    ),
  );
  const nowhere = createClient(server.url, await signToken(fine));
  followers.push(nowhere.subscribe(follows, { room: encodeId('Room', crypto.randomUUID()), after: place.cursor }));
  const [one, two, allowed, four, five] = followers;
  for (const refused of [one, two, four, five]) {
    await expect.poll(() => JSON.stringify(refused?.failures)).toContain('NOT_FOUND');
  }
  const { id } = await send(ana, room, 'for members');
  await server.foundation.live.compare();
  await allowed?.until('the message', ({ length }) => length > 0);
  expect(allowed && shown(allowed).at(-1)).toBe(`${id} for members`);
  for (const refused of [one, two, four, five]) expect(refused?.received).toEqual([]);
  await Promise.all(followers.map((events) => events.stop()));
});
