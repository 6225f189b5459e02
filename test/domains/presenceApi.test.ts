import { type ExecutionResult, graphql, parse, subscribe } from 'graphql';
import { afterAll, expect, test } from 'vitest';
import type { Caller } from '../../src/domains/caller.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import { presenceTimes } from '../../src/domains/presence/presence.rules.ts';
import { createPresence } from '../../src/domains/presence/presence.service.ts';
import '../../src/domains/presence/presence.graphql.ts';
import { createTyping } from '../../src/domains/presence/typing.service.ts';
import '../../src/domains/presence/typing.graphql.ts';
import { createLocalTypingThrottle } from '../../src/domains/presence/typingThrottle.store.ts';
import { addMembers, removeMember } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { setArchived } from '../../src/domains/rooms/rooms.service.ts';
import { createContext } from '../../src/graphql/context.ts';
import { createErrorMask } from '../../src/graphql/errors.ts';
import { schema } from '../../src/graphql/schema.ts';
import { encodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { at } from '../support/json.ts';
import { type Person, person } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase() });
const { bus, database, live } = house.foundation;
const log = house.log.logger;
const store = createLocalPresenceStore(5_000);
let reads = 0;
const presence = createPresence({
  store: {
    ...store,
    read(actors) {
      reads++;
      return store.read(actors);
    },
  },
  bus,
  database,
  log,
  times: { ...presenceTimes, lease: 5_000, renewal: 1_000, grace: 100, sweep: 20, comparison: 60_000 },
});
const typing = createTyping({ throttle: createLocalTypingThrottle(), bus, live, log });
afterAll(async () => {
  typing.close();
  await presence.close();
});

async function callerOf(name: string, tenant = 'acme', role: Person['role'] = 'agent'): Promise<Caller> {
  return { ...(await house.callerOf(person(tenant, name, role))), presence, typing };
}

const idOf = (caller: Caller) => encodeId('User', caller.actor.id);

async function run(caller: Caller, source: string, variableValues = {}, connectionId: string | null = null) {
  return graphql({ schema, source, variableValues, contextValue: createContext(caller, connectionId) });
}

const mask = createErrorMask(log);

function codesOf(result: ExecutionResult): unknown[] {
  return (result.errors ?? []).map((error) => mask(error).toJSON().extensions);
}

interface Following {
  readonly seen: string[];
  readonly ended: () => boolean;
  stop(): void;
}

async function subscribed(caller: Caller, source: string, variableValues: Record<string, unknown>) {
  return subscribe({ schema, document: parse(source), variableValues, contextValue: createContext(caller) });
}

const presenceOf = `subscription ($roomId: ID, $userIds: [ID!]) {
  presence(roomId: $roomId, userIds: $userIds) { actor { name presence { status } } presence { status lastSeenAt } }
}`;

async function follow(caller: Caller, variables: Record<string, unknown>): Promise<Following> {
  const events = await subscribed(caller, presenceOf, variables);
  if (!(Symbol.asyncIterator in events)) throw new Error(`refused: ${JSON.stringify(events.errors)}`);
  const seen: string[] = [];
  let ended = false;
  void (async () => {
    for await (const { data, errors } of events) {
      if (errors) throw errors[0];
      const status = at(data, 'presence.presence.status');
      expect(at(data, 'presence.actor.presence.status'), 'the same wherever it is asked').toBe(status);
      seen.push(`${at(data, 'presence.actor.name')}:${status}`);
    }
    ended = true;
  })();
  return { seen, ended: () => ended, stop: () => void events.return?.() };
}

const ana = await callerOf('Ana', 'acme', 'admin');
const bruno = await callerOf('Bruno');
const carla = await callerOf('Carla');
const wanda = await callerOf('Wanda', 'globex', 'admin');

test('R3: everybody shows their presence, read in one batch', async () => {
  await presence.connect(bruno.actor, 'bruno');
  const before = reads;
  const { data, errors } = await run(ana, '{ users { nodes { name presence { status lastSeenAt } } } }');
  expect(errors).toBeUndefined();
  expect(at(data, 'users.nodes')).toEqual([
    { name: 'Ana', presence: { status: 'OFFLINE', lastSeenAt: null } },
    { name: 'Bruno', presence: { status: 'ONLINE', lastSeenAt: null } },
    { name: 'Carla', presence: { status: 'OFFLINE', lastSeenAt: null } },
  ]);
  expect(reads - before).toBe(1);
});

test('R3: people are watched by id: first as they are, then as they change', async () => {
  const following = await follow(ana, { userIds: [idOf(bruno), idOf(carla), idOf(bruno)] });
  await waitFor('the first states', () => following.seen.length === 2);
  expect(following.seen.toSorted()).toEqual(['Bruno:ONLINE', 'Carla:OFFLINE']);
  await presence.connect(carla.actor, 'carla');
  await waitFor('the change', () => following.seen.length === 3);
  await presence.disconnect('carla');
  await waitFor('the end', () => following.seen.length === 4);
  expect(following.seen.slice(2)).toEqual(['Carla:ONLINE', 'Carla:OFFLINE']);
  const { data } = await run(bruno, 'query ($id: ID!) { node(id: $id) { ... on User { presence { lastSeenAt } } } }', {
    id: idOf(carla),
  });
  expect(at(data, 'node.presence.lastSeenAt'), 'last seen').not.toBeNull();
  following.stop();
});

test("R3: another tenant's people and rooms are refused exactly as unknown ids", async () => {
  const roomId = await createRoom(ana, { kind: 'GROUP', name: 'ours', topic: undefined, memberIds: [] });
  const refusals = await Promise.all(
    [
      { userIds: [idOf(wanda), idOf(ana)] },
      { userIds: [idOf(wanda), encodeId('User', newId())] },
      { userIds: [idOf(wanda), encodeId('User', ana.actor.id)] },
      { roomId: encodeId('Room', roomId) },
      { roomId: encodeId('Room', newId()) },
    ].map(async (variables) => {
      const result = await subscribed(wanda, presenceOf, variables);
      if (Symbol.asyncIterator in result) throw new Error('not refused');
      return codesOf(result);
    }),
  );
  const refusal = (field: string) => [{ code: 'NOT_FOUND', field }];
  expect(refusals.slice(0, 3)).toEqual([refusal('userIds'), refusal('userIds'), refusal('userIds')]);
  expect(refusals.slice(3)).toEqual([refusal('roomId'), refusal('roomId')]);
});

test('R3: a watch is of a room or of people, and of not too many', async () => {
  const some = Array.from({ length: 501 }, () => encodeId('User', newId()));
  const roomId = encodeId('Room', newId());
  for (const variables of [{}, { roomId, userIds: some.slice(0, 1) }, { userIds: [] }, { userIds: some }]) {
    const result = await subscribed(ana, presenceOf, variables);
    if (Symbol.asyncIterator in result) throw new Error('not refused');
    expect(codesOf(result)).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
  }
});

test("R3: a room's watch follows who joins and leaves, and ends for who is removed", async () => {
  const memberIds = [bruno.actor.id];
  const roomId = await createRoom(ana, { kind: 'GROUP', name: 'sidebar', topic: undefined, memberIds });
  const following = await follow(ana, { roomId: encodeId('Room', roomId) });
  const brunos = await follow(bruno, { roomId: encodeId('Room', roomId) });
  await waitFor('the members', () => following.seen.length === 2 && brunos.seen.length === 2);
  expect(following.seen.toSorted()).toEqual(['Ana:OFFLINE', 'Bruno:ONLINE']);
  await addMembers(ana, roomId, [carla.actor.id]);
  await waitFor('the new member', () => following.seen.at(-1) === 'Carla:OFFLINE');
  await presence.connect(carla.actor, 'carla 2');
  await waitFor('her coming', () => following.seen.at(-1) === 'Carla:ONLINE' && brunos.seen.at(-1) === 'Carla:ONLINE');
  await removeMember(ana, roomId, bruno.actor.id);
  await waitFor('the end of the watch of the removed', brunos.ended);
  await presence.setStatus(bruno.actor, 'bruno', 'AWAY');
  await presence.setStatus(carla.actor, 'carla 2', 'AWAY');
  await waitFor('a later change', () => following.seen.at(-1) === 'Carla:AWAY');
  expect(following.seen, 'nothing of who is no member any more').not.toContain('Bruno:AWAY');
  expect(brunos.seen).not.toContain('Carla:AWAY');
  await setArchived(ana, roomId, true);
  await waitFor('the end with the room', following.ended);
  await presence.setStatus(bruno.actor, 'bruno', 'ONLINE');
});

test('R3: over a socket one sets the status of that connection, over HTTP of all', async () => {
  const set = `mutation ($status: ActiveStatus!) {
    setPresence(input: { status: $status }) { ... on SetPresencePayload { presence { status } } }
  }`;
  await presence.connect(bruno.actor, 'bruno 2');
  const statusAfter = async (connectionId: string | null, status: string) => {
    const { data, errors } = await run(bruno, set, { status }, connectionId);
    expect(errors).toBeUndefined();
    return at(data, 'setPresence.presence.status');
  };
  expect(await statusAfter('bruno 2', 'AWAY')).toBe('ONLINE');
  expect(await statusAfter(null, 'AWAY')).toBe('AWAY');
  expect(await statusAfter('bruno', 'ONLINE')).toBe('ONLINE');
  const { data } = await run(ana, set, { status: 'ONLINE' });
  expect(at(data, 'setPresence.presence.status'), 'nobody is online by saying so').toBe('OFFLINE');
});

test('R4: typing over GraphQL', async () => {
  const memberIds = [bruno.actor.id];
  const uuid = await createRoom(ana, { kind: 'GROUP', name: 'talk', topic: undefined, memberIds });
  const roomId = encodeId('Room', uuid);
  const document = 'subscription ($roomId: ID!) { typing(roomId: $roomId) { actor { name } typing expiresAt } }';
  const events = await subscribed(bruno, document, { roomId });
  if (!(Symbol.asyncIterator in events)) throw new Error('refused');
  const set = `mutation ($roomId: ID!, $typing: Boolean! = true) {
    setTyping(input: { roomId: $roomId, typing: $typing }) {
      __typename ... on SetTypingPayload { typing } ... on NotFoundError { code }
    }
  }`;
  const started = await run(ana, set, { roomId });
  expect(at(started.data, 'setTyping.typing')).toBe(true);
  expect(at((await events.next()).value, 'data.typing')).toMatchObject({ actor: { name: 'Ana' }, typing: true });
  const stopped = await run(ana, set, { roomId, typing: false });
  expect(at(stopped.data, 'setTyping.typing')).toBe(false);
  expect(at((await events.next()).value, 'data.typing')).toEqual({
    actor: { name: 'Ana' },
    typing: false,
    expiresAt: null,
  });
  await events.return?.();
  const { data } = await run(carla, set, { roomId });
  expect(at(data, 'setTyping')).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
});
