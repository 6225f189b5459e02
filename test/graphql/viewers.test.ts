import {
  type ExecutionResult,
  execute,
  type GraphQLField,
  type GraphQLNamedType,
  GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isNonNullType,
  isObjectType,
  parse,
} from 'graphql';
import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { purgeMessages, undoPurge } from '../../src/domains/governance/purge.service.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { removeMessage } from '../../src/domains/governance/removal.service.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { markRead } from '../../src/domains/reading/reading.service.ts';
import { addMembers, muteRoom, removeMember, setMemberRole } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { updateRoom } from '../../src/domains/rooms/rooms.service.ts';
import type { Delivered } from '../../src/events/delivered.ts';
import { roomPosition } from '../../src/events/position.ts';
import { createContext } from '../../src/graphql/context.ts';
import { createExecute } from '../../src/graphql/execution.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createSharedExecution } from '../../src/graphql/sharedExecution.ts';
import { dependsOnViewer } from '../../src/graphql/viewerDependent.ts';
import { encodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase() });
const ana = await house.callerOf(person('acme', 'Ana', 'admin'));
const bruno = await house.callerOf(person('acme', 'Bruno'));
const carla = await house.callerOf(person('acme', 'Carla'));

type Field = GraphQLField<unknown, unknown>;

function fieldsOf(type: GraphQLNamedType): Field[] {
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields()).filter((field) => !field.args.some((arg) => isNonNullType(arg.type)));
}

function membersOf(type: GraphQLNamedType): readonly GraphQLObjectType[] {
  if (isAbstractType(type)) return schema.getPossibleTypes(type);
  return isObjectType(type) ? [type] : [];
}

const subscription = schema.getSubscriptionType();
if (!(subscription instanceof GraphQLObjectType)) throw new Error('there are no subscriptions');

/** The way to a field from the field of a subscription: the types and fields in between. */
interface Way {
  readonly root: string;
  readonly steps: readonly { readonly type: string; readonly field: string }[];
}

/** Each field that a subscription can reach, once, by the shortest way that needs no other field that depends on the viewer. */
function reachableFields(): Map<Field, Way> {
  const found = new Map<Field, Way>();
  const seen = new Set<GraphQLNamedType>();
  const queue = Object.values(subscription?.getFields() ?? {}).map((field) => ({
    type: getNamedType(field.type) as GraphQLNamedType,
    way: { root: field.name, steps: [] } as Way,
  }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { type, way } = next;
    for (const member of membersOf(type)) {
      if (seen.has(member)) continue;
      seen.add(member);
      for (const field of fieldsOf(member)) {
        const there = { root: way.root, steps: [...way.steps, { type: member.name, field: field.name }] };
        found.set(field, there);
        if (!field.extensions.viewerDependent) queue.push({ type: getNamedType(field.type), way: there });
      }
    }
  }
  return found;
}

/** What is selected beneath a field: all that does not depend on the viewer, some levels down. */
function selectionOf(type: GraphQLNamedType, depth: number): string {
  if (isLeafType(type)) return '';
  const parts = membersOf(type).map((member) => {
    const fields = fieldsOf(member).flatMap((field) => {
      const named = getNamedType(field.type);
      if (field.extensions.viewerDependent || (depth === 1 && !isLeafType(named))) return [];
      return [`${member.name}_${field.name}: ${field.name} ${selectionOf(named, depth - 1)}`];
    });
    return `... on ${member.name} { __typename ${fields.join(' ')} }`;
  });
  return `{ ${parts.join(' ')} }`;
}

function documentTo({ root, steps }: Way, field: Field): string {
  const beneath = isLeafType(getNamedType(field.type)) ? '' : selectionOf(getNamedType(field.type), 2);
  const selection = steps.reduceRight((inner, step) => `{ ... on ${step.type} { ${step.field} ${inner} } }`, beneath);
  const args = subscription?.getFields()[root]?.args ?? [];
  const variables = args.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
  const passed = args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  return `subscription Way(${variables}) { ${root}(${passed}) ${selection} }`;
}

/** What an operation gives a viewer for an event, with nothing shared. */
async function shownTo(caller: Caller, document: string, event: object, roomId: string): Promise<ExecutionResult> {
  return execute({
    schema,
    document: parse(document),
    rootValue: event,
    contextValue: createContext(caller),
    variableValues: { roomId: encodeId('Room', roomId) },
  });
}

const say = (caller: Caller, roomId: string, body: string, replyToId?: string) =>
  sendMessage(caller, { roomId, body, nonce: `nonce of ${body}`, replyToId });

const age = sql<never>(
  'test.age',
  `UPDATE messages SET created_at = created_at - interval '2 days' WHERE tenant_id = $1 AND id = $2`,
);

/** Hides a message by a purge that means no other, and brings it back. */
async function purgeAndUndo(roomId: string, message: { readonly id: string }): Promise<void> {
  await ana.db.query(age, message.id);
  const before = new Date(Date.now() - 24 * 60 * 60 * 1000);
  const { id } = await purgeMessages(ana, { before, roomId, mode: 'SOFT', nonce: undefined });
  const finish = async () => {
    while (await purgeBatch(house.foundation.jobDeps, ana.db.tenantId));
  };
  await finish();
  await undoPurge(ana, id);
  await finish();
}

/** A room in which everything has happened, and all the events of it. */
async function eventfulRoom() {
  const memberIds = [bruno.actor.id];
  const roomId = await createRoom(ana, { kind: 'GROUP', name: 'eventful', topic: 'much', memberIds });
  const events = house.foundation.live.room(ana.db.tenantId, roomId, 0n);
  await addMembers(ana, roomId, [carla.actor.id]);
  const first = await say(ana, roomId, 'from Ana');
  await say(bruno, roomId, `for <@${encodeId('User', ana.actor.id)}>`, first.id);
  await editMessage(ana, first.id, 'from Ana, edited');
  const gone = await say(bruno, roomId, 'soon gone');
  await deleteMessage(ana, gone.id);
  await setMemberRole(ana, roomId, bruno.actor.id, 'MODERATOR');
  await updateRoom(ana, roomId, { topic: 'more' });
  await muteRoom(bruno, roomId, true);
  await removeMember(ana, roomId, carla.actor.id);
  await purgeAndUndo(roomId, await say(bruno, roomId, 'old'));
  await removeMessage(ana, (await say(bruno, roomId, 'to be removed')).id);
  const last = await say(ana, roomId, 'last');
  const happened: Delivered[] = [];
  for await (const event of events) {
    happened.push(event);
    if (event.type === 'MESSAGE_ADDED' && event.message.id === last.id) break;
  }
  return { roomId, happened, last };
}

const { roomId, happened } = await eventfulRoom();
const reachable = reachableFields();
const declared = [...reachable].filter(([field]) => field.extensions.viewerDependent);
/** Those which members of different roles get from the same subscription. */
const followed = declared.filter(([, { root }]) => ['messageAdded', 'messageChanged', 'roomEvents'].includes(root));

test('R2 what is not declared to depend on the viewer is the same for two members of different roles', async () => {
  const kinds = new Set(happened.map((event) => event.type));
  expect([...kinds].sort()).toEqual([
    'MEMBER_ADDED',
    'MEMBER_REMOVED',
    'MEMBER_UPDATED',
    'MESSAGES_PURGED',
    'MESSAGES_RESTORED',
    'MESSAGE_ADDED',
    'MESSAGE_DELETED',
    'MESSAGE_EDITED',
    'MESSAGE_REMOVED',
    'ROOM_UPDATED',
  ]);
  await markRead(bruno, roomId, undefined);
  const read = { type: 'READ', roomId, actorId: bruno.actor.id, lastReadSeq: 1n, lastReadAt: new Date() };
  const type = getNamedType(subscription.getFields().roomEvents?.type);
  if (!type) throw new Error('there is no roomEvents');
  const document = `subscription Events($roomId: ID!) { roomEvents(roomId: $roomId) ${selectionOf(type, 4)} }`;
  for (const event of [...happened, read]) {
    const [hers, his] = await Promise.all([ana, bruno].map((caller) => shownTo(caller, document, event, roomId)));
    expect(hers?.errors).toBeUndefined();
    expect(his).toEqual(hers);
  }
  const typing = { actorId: ana.actor.id, typing: true, expiresAt: new Date() };
  const typingType = getNamedType(subscription.getFields().typing?.type);
  if (!typingType) throw new Error('there is no typing');
  const whoTypes = `subscription Typing($roomId: ID!) { typing(roomId: $roomId) ${selectionOf(typingType, 3)} }`;
  const [hers, his] = await Promise.all([ana, bruno].map((caller) => shownTo(caller, whoTypes, typing, roomId)));
  expect(hers?.errors).toBeUndefined();
  expect(his).toEqual(hers);
});

test('R2 there are fields that depend on the viewer, and each is known by any way to write its selection', () => {
  const names = declared.map(([field, { steps }]) => `${steps.at(-1)?.type}.${field.name}`);
  expect(names).toEqual(
    expect.arrayContaining([
      'Member.muted',
      'Message.nonce',
      'Room.lastMessage',
      'Room.messages',
      'Room.unreadCount',
      'Room.viewerMember',
    ]),
  );
  for (const [field, way] of declared) {
    // What one viewer sees and nobody else is told by its resolver.
    const eachOwn = field.extensions.viewerDependent !== 'ONE';
    expect(dependsOnViewer(schema, parse(documentTo(way, field)))).toBe(eachOwn);
  }
  const inFragment = parse(`
    subscription Hidden($room: ID!) { roomEvents(roomId: $room) { ...change } }
    fragment change on RoomChange { room { ...shown } }
    fragment shown on Room { other: unreadCount }`);
  expect(dependsOnViewer(schema, inFragment)).toBe(true);
});

test.each(
  followed.map(
    ([field, way]) => [way.steps.map((step) => `${step.type}.${step.field}`).join(' > '), field, way] as const,
  ),
)('R2 two viewers of %s each get their own', async (_name, field, way) => {
  let executions = 0;
  const sharing = createSharedExecution({
    mask: (error) => {
      throw error;
    },
    execute: createExecute(schema),
    onExecute: () => executions++,
  });
  const document = documentTo(way, field);
  const variableValues = { roomId: encodeId('Room', roomId), after: roomPosition(roomId, await versionNow()) };
  const results = await Promise.all(
    [ana, bruno].map(async (caller) => {
      const stream = await sharing.subscribe({
        schema,
        document: parse(document),
        contextValue: createContext(caller),
        variableValues,
      });
      if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream));
      return { caller, stream, first: stream.next() };
    }),
  );
  // Live, so that both get the very same event.
  const event = await nextEvent(() => say(ana, roomId, `about ${field.name}`));
  const own: string[] = [];
  for (const { caller, stream, first } of results) {
    const { value } = await first;
    const json = value ? value.json : '';
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(await shownTo(caller, document, event, roomId))));
    own.push(json);
    await stream.return?.();
  }
  expect(executions).toBe(2);
  // Both may read the messages, and so see the same of them.
  if (!['lastMessage', 'messages'].includes(field.name)) expect(own[0]).not.toBe(own[1]);
});

const currentVersion = sql<{ version: bigint }>(
  'test.version',
  'SELECT version FROM rooms WHERE tenant_id = $1 AND id = $2',
);

async function versionNow(): Promise<bigint> {
  return (await ana.db.query(currentVersion, roomId))[0]?.version ?? 0n;
}

/** The event that a change makes in the room. */
async function nextEvent(change: () => Promise<unknown>): Promise<object> {
  const events = house.foundation.live.room(ana.db.tenantId, roomId, await versionNow());
  const next = events.next();
  await change();
  const { value } = await next;
  await events.return?.();
  return Object(value);
}
