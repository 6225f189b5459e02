import SchemaBuilder from '@pothos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import type { RoomRole, TenantRole } from '../../src/kernel/actor.ts';
import { decodeId, idPrefixes } from '../../src/kernel/ids.ts';
import { isKept } from '../../src/policy/grants.ts';
import { roomGrants, tenantGrants, visitorGrants } from '../../src/policy/matrix.ts';
import { allPermissions, isPermission, type Permission, permissions } from '../../src/policy/permissions.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, attempt, createRoom, send } from '../support/acting.ts';
import { digestOf } from '../support/auditTampering.ts';
import { calls, idsOf, type Place } from '../support/calls.ts';
import { type Client, createClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { type Person, person } from '../support/people.ts';
import { startServer, type TestServer, type Visitor } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const roles = { ADMIN: 'admin', SUPERVISOR: 'supervisor', AGENT: 'agent', SERVICE: 'service' } as const;
const tenantRoles: readonly TenantRole[] = ['ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE'];
const roomRoles: readonly (RoomRole | null)[] = ['OWNER', 'MODERATOR', 'MEMBER', null];
const kinds = ['GROUP', 'CHANNEL'] as const;

/** A root field, with the rule that the schema shows for it. */
interface Field {
  readonly type: 'Query' | 'Mutation' | 'Subscription';
  readonly name: string;
  /** Null for a field that is public. */
  readonly permission: Permission | null;
  readonly call: (place: Place) => string;
}

function rootFields(): Field[] {
  return (['Query', 'Mutation', 'Subscription'] as const).flatMap((type) => {
    const rootType = schema.getType(type);
    if (!rootType || !('getFields' in rootType)) throw new Error(`no type ${type}`);
    return Object.values(rootType.getFields()).map(({ name, extensions }) => {
      const call = calls[`${type}.${name}`];
      if (!call) throw new Error(`say in test/support/calls.ts how ${type}.${name} is called`);
      const permission = at(extensions, 'directives.auth.permission');
      if (permission === undefined && !at(extensions, 'directives.public')) throw new Error(`${name} has no rule`);
      if (permission !== undefined && !isPermission(String(permission))) throw new Error(`${name} has a wrong rule`);
      const rule = String(permission);
      return { type, name, permission: isPermission(rule) ? rule : null, call };
    });
  });
}

const fields = rootFields();
const ofTenant = fields.filter(({ permission }) => permission && permissions[permission].scope === 'tenant');
const ofRoom = fields.filter(({ permission }) => permission && permissions[permission].scope === 'room');

const databaseUrl = await createTestDatabase();
let server: TestServer;
let admin: Visitor;
let cases = 0;

/** People of each role in the tenant and in the rooms. */
const people = new Map<string, Visitor>();
const places = new Map<string, Place>();
const keyOf = (...parts: readonly (string | null)[]) => parts.join(' ');

function known<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): Value {
  const found = map.get(key);
  if (found === undefined) throw new Error(`there is no ${String(key)}`);
  return found;
}

beforeAll(async () => {
  server = await startServer({
    databaseUrl,
    settings: { RATE_QUERIES: '0', RATE_MUTATIONS: '0', RATE_SUBSCRIPTIONS: '0', RATE_SENDS: '0' },
  });
  admin = await server.signIn(person('acme', 'Ada', 'admin'));
  for (const role of tenantRoles) {
    for (const roomRole of roomRoles) {
      const who: Person = person('acme', `${role} ${roomRole ?? 'outside'}`, roles[role]);
      people.set(keyOf(role, roomRole), await server.signIn(who));
    }
  }
  for (const kind of kinds) {
    const place = await preparePlace(admin, 'acme', kind);
    places.set(kind, place);
    for (const [key, visitor] of people) {
      const roomRole = key.split(' ')[1];
      if (!roomRole) continue;
      await act(admin, 'addMembers', { roomId: place.room, userIds: [visitor.id] });
      if (roomRole === 'MEMBER') continue;
      await act(admin, 'setMemberRole', { roomId: place.room, userId: visitor.id, role: roomRole });
    }
  }
});
afterAll(() => console.log(`${cases} cases of access that was refused, over ${fields.length} root fields`));

async function preparePlace(owner: Visitor, tenant: string, kind: 'GROUP' | 'CHANNEL'): Promise<Place> {
  const [member, stranger] = [
    await server.signIn(person(tenant, `Member of ${kind} by ${owner.id}`)),
    await server.signIn(person(tenant, `Stranger to ${kind} by ${owner.id}`)),
  ];
  const room = await createRoom(owner, { kind, name: `Secret ${kind}`, memberIds: [member.id] });
  const message = (await send(member, room, 'secret words')).id;
  const purging = await act(
    owner,
    'purgeMessages',
    { before: '2001-01-01T00:00:00.000Z', mode: 'SOFT', roomId: room },
    'purge { id }',
  );
  return { room, message, member: member.id, stranger: stranger.id, purge: textAt(purging, 'purge.id') };
}

interface Outcome {
  /** Of the refusal; null for an answer. */
  readonly code: string | null;
  readonly permission: string | null;
  readonly value: unknown;
}

/** Calls a field. Nothing that can be told from what does not exist counts as NOT_FOUND. */
async function call(client: Client, { type, name, call: textOf }: Field, place: Place): Promise<Outcome> {
  const document = `${type.toLowerCase()} { ${textOf(place)} }`;
  if (type === 'Subscription') return subscribe(client, document);
  const { data, errors } = await client.query(document);
  return outcome(errors[0], at(data, name));
}

function outcome(error: unknown, value: unknown): Outcome {
  const found = at(value, '__typename') === 'NotFoundError' || value === null || isAllNull(value);
  const code = at(error, 'extensions.code') ?? (!error && found ? 'NOT_FOUND' : null);
  const permission = at(error, 'extensions.permission');
  return { code: code === null ? null : String(code), permission: permission ? String(permission) : null, value };
}

function isAllNull(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => item === null);
}

async function subscribe(client: Client, document: string): Promise<Outcome> {
  const follower = client.subscribe(document);
  try {
    const { received, failures } = follower;
    await waitFor(`an answer to ${document}`, () => follower.ended || received.length + failures.length > 0);
    return outcome(failures[0], received[0]);
  } finally {
    await follower.stop();
  }
}

function mayInRoom(role: TenantRole, roomRole: RoomRole | null, kind: 'GROUP' | 'CHANNEL', permission: Permission) {
  const seen: readonly Permission[] = roomRole ? roomGrants[roomRole] : visitorGrants[kind];
  return seen.includes(permission) || (seen.includes('room:read') && tenantGrants[role].includes(permission));
}

describe('G3: every root field has a rule, and every rule is enforced', () => {
  test('there is a call for each field, and none for a field that is gone', () => {
    expect(Object.keys(calls).sort()).toEqual(fields.map(({ type, name }) => `${type}.${name}`).sort());
  });

  test.each(fields)('$type: $name refuses who has no token, unless it is public', async (field) => {
    const nobody = createClient(server.url, null);
    if (field.type === 'Subscription') {
      // The socket itself is refused.
      const follower = nobody.subscribe(`subscription { ${field.call(known(places, 'GROUP'))} }`);
      await waitFor('the refusal', () => follower.failures.length > 0);
      await follower.stop();
    } else {
      const { code } = await call(nobody, field, known(places, 'GROUP'));
      expect(code).toBe(field.permission === null ? null : 'UNAUTHENTICATED');
    }
    if (field.permission !== null) cases++;
  });

  test.each([...new Set(ofTenant.flatMap(({ permission }) => permission ?? []))])(
    'no role without %s gets what needs it, and nothing is written',
    async (permission) => {
      const place = known(places, 'GROUP');
      const deciding = (name: string, role: TenantRole) =>
        admin.query(`mutation { ${name}(input: { role: ${role}, permission: "${permission}" }) { __typename } }`);
      for (const role of tenantRoles) await deciding('revokePermission', role);
      const before = await digestOf(databaseUrl, 'acme');
      for (const field of ofTenant.filter((one) => one.permission === permission)) {
        for (const role of tenantRoles.filter((one) => !isKept(one, permission))) {
          const refused = await call(known(people, keyOf(role, 'OWNER')), field, place);
          expect([field.name, role, refused.code, refused.permission]).toEqual([
            ...[field.name, role],
            ...['FORBIDDEN', permission],
          ]);
          cases++;
        }
      }
      expect(await digestOf(databaseUrl, 'acme')).toBe(before);
      for (const role of tenantRoles) {
        await deciding(tenantGrants[role].includes(permission) ? 'grantPermission' : 'revokePermission', role);
      }
    },
  );

  test.each(kinds)(
    'no role in a %s without the permission gets what needs it, and nothing is written',
    async (kind) => {
      const place = known(places, kind);
      const before = await digestOf(databaseUrl, 'acme');
      for (const field of ofRoom) {
        for (const role of tenantRoles) {
          for (const roomRole of roomRoles) {
            const { permission } = field;
            if (!permission || mayInRoom(role, roomRole, kind, permission)) continue;
            const { code } = await call(known(people, keyOf(role, roomRole)), field, place);
            expect([field.name, role, roomRole, ['FORBIDDEN', 'NOT_FOUND'].includes(code ?? '')]).toEqual([
              ...[field.name, role, roomRole],
              true,
            ]);
            cases++;
          }
        }
      }
      expect(await digestOf(databaseUrl, 'acme')).toBe(before);
    },
  );

  test.each(fields.filter(({ permission }) => permission !== null))(
    'G1: $type: $name tells an admin of another tenant nothing, and writes nothing',
    async (field) => {
      const stranger = await server.signIn(person('other', 'Eve', 'admin'));
      for (const kind of kinds) {
        const place = known(places, kind);
        const before = await digestOf(databaseUrl, 'acme');
        const { code, value } = await call(stranger, field, place);
        if (idsOf(place).some((id) => field.call(place).includes(id))) {
          // Of what another tenant has there is nothing.
          expect([field.name, code]).toEqual([field.name, 'NOT_FOUND']);
        }
        const told = JSON.stringify(value ?? null);
        for (const secret of [...idsOf(place), 'Secret', 'secret', 'acme', 'Ada']) expect(told).not.toContain(secret);
        expect(await digestOf(databaseUrl, 'acme')).toBe(before);
        cases++;
      }
    },
  );

  test.each(fields)('$type: $name answers who may ask, with the same arguments', async (field) => {
    if (field.name === 'renewToken') return;
    const owner = await server.signIn(person('control', `Owner of ${field.name}`, 'admin'));
    const place = await preparePlace(owner, 'control', field.name === 'joinRoom' ? 'CHANNEL' : 'GROUP');
    // An author edits; whoever follows hears of something.
    const author =
      field.name === 'editMessage' ? await server.signIn(person('control', `Member of GROUP by ${owner.id}`)) : owner;
    if (field.type === 'Subscription') {
      const follower = author.subscribe(`subscription { ${field.call(place)} }`);
      await waitFor('an event', async () => {
        await attempt(owner, 'sendMessage', { roomId: place.room, body: 'more' });
        await attempt(owner, 'updateRoom', { roomId: place.room, topic: String(Math.random()) });
        return follower.received.length > 0 || quiet.has(field.name) || follower.failures.length > 0;
      });
      expect(follower.failures).toEqual([]);
      await follower.stop();
      return;
    }
    const { code, value } = await call(author, field, place);
    expect([field.name, code]).toEqual([field.name, null]);
    expect(String(at(value, '__typename'))).not.toMatch(/^(ValidationError|NotFoundError)$/);
  });
});

/** Subscriptions to what a send does not bring about. */
const quiet: ReadonlySet<string> = new Set(['typing', 'messageChanged', 'purgeProgress']);

describe('G3: nodes by their ids', () => {
  const types = Object.keys(idPrefixes);

  test.each(types)('a %s is there for who may see it, and for nobody else', async (type) => {
    const service = await server.signIn(person('acme', 'Bot', 'service'));
    const place = known(places, 'GROUP');
    const ids = [...idsOf(place), service.id];
    const id = ids.find((one) => decodeId(one)?.type === type);
    if (!id) throw new Error(`say which ${type} is asked for`);
    const ask = async (client: Client) => {
      const { data, errors } = await client.query('query ($id: ID!) { node(id: $id) { id } }', { id });
      expect(errors).toEqual([]);
      return at(data, 'node');
    };
    const eve = await server.signIn(person('other', 'Eve', 'admin'));
    expect(await ask(eve)).toBeNull();
    cases++;
    expect(await ask(admin)).toEqual({ id });
    const needed: Readonly<Record<string, Permission>> = {
      User: 'user:read',
      ServiceAccount: 'user:read',
      Purge: 'message:purge',
    };
    const permission = needed[type];
    for (const role of tenantRoles) {
      // What is in a group is for its members: the role in the tenant opens nothing.
      const outside = known(people, keyOf(role, null));
      const change = (name: string) =>
        admin.query(`mutation { ${name}(input: { role: ${role}, permission: "${permission}" }) { __typename } }`);
      const had = permission && tenantGrants[role].includes(permission);
      if (had) await change('revokePermission');
      expect([role, await ask(outside)]).toEqual([role, null]);
      if (had) await change('grantPermission');
      cases++;
    }
  });

  test('every type with an id is one of them', () => {
    const node = schema.getType('Node');
    const implementing = Object.values(schema.getTypeMap()).flatMap((type) =>
      'getInterfaces' in type &&
      'getFields' in type &&
      type.getInterfaces().some((one) => one === node) &&
      type.name !== 'Actor'
        ? [type.name]
        : [],
    );
    expect(implementing.sort()).toEqual([...types].sort());
  });
});

describe('G3: the schema is not built', () => {
  const planted = (access?: unknown) => {
    const builder = new SchemaBuilder<{ Context: Context }>(Object({ plugins: ['auth'] }));
    builder.queryType({ fields: (t) => ({ planted: t.boolean({ resolve: () => true, ...Object({ access }) }) }) });
    return () => builder.toSchema();
  };

  test('with a root field that has no rule', () => {
    expect(planted()).toThrow('Query.planted has no rule');
  });

  test('with a rule that names a permission which does not exist', () => {
    expect(planted({ permission: 'room:explode' })).toThrow('room:explode, which does not exist');
    expect(planted({ permission: 'room:read' })).not.toThrow();
    expect(allPermissions).toContain('room:read');
  });
});
