import { beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { attempt, createRoom } from '../support/acting.ts';
import { openHouse } from '../support/house.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { startServer, type TestServer, type Visitor } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const redis = createTestRedis();
const open = () => startServer({ databaseUrl, redisUrl: redis.url, redisPrefix: redis.prefix });

let here: TestServer;
let there: TestServer;
let admin: Visitor;
let supervisor: Visitor;
let ana: Visitor;

beforeAll(async () => {
  [here, there] = [await open(), await open()];
  admin = await here.signIn(person('acme', 'Ada', 'admin'));
  supervisor = await here.signIn(person('acme', 'Sue', 'supervisor'));
  ana = await there.signIn(person('acme', 'Ana'));
});

function change(client: Visitor, name: 'grantPermission' | 'revokePermission', role: string, permission: string) {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return client.query(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename
      ... on ${type}Payload { permission { permission roles defaultRoles } } ... on ValidationError { field reason } } }`,
    { input: { role, permission } },
  );
}

async function permissionsOf(client: Visitor): Promise<unknown[]> {
  return listAt((await client.query('{ viewer { permissions } }')).data, 'viewer.permissions');
}

describe('G2: a tenant decides what its roles grant', () => {
  test('admins see the whole matrix', async () => {
    const { data } = await admin.query('{ permissions { permission description scope roles defaultRoles roomRoles } }');
    const all = listAt(data, 'permissions');
    expect(all).toContainEqual({
      permission: 'message:moderate',
      description: expect.stringMatching(/./),
      scope: 'ROOM',
      roles: ['ADMIN', 'SUPERVISOR'],
      defaultRoles: ['ADMIN', 'SUPERVISOR'],
      roomRoles: ['OWNER', 'MODERATOR'],
    });
    expect(all).toContainEqual(expect.objectContaining({ permission: 'user:read', scope: 'TENANT', roomRoles: [] }));
  });

  test('what is granted and revoked holds at once, on every process, and in no other tenant', async () => {
    const group = { kind: 'GROUP', name: 'By an agent' };
    const eve = await there.signIn(person('other', 'Eve'));
    expect((await attempt(ana, 'createRoom', group)).errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    const granted = await change(admin, 'grantPermission', 'AGENT', 'room:create');
    expect(at(granted.data, 'grantPermission.permission')).toEqual({
      permission: 'room:create',
      roles: ['ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE'],
      defaultRoles: ['ADMIN', 'SUPERVISOR', 'SERVICE'],
    });
    await waitFor('room:create', async () => (await permissionsOf(ana)).includes('room:create'));
    await createRoom(ana, group);
    expect((await attempt(eve, 'createRoom', group)).errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    await change(admin, 'revokePermission', 'AGENT', 'room:create');
    await waitFor(`no ${'room:create'}`, async () => !(await permissionsOf(ana)).includes('room:create'));
    await change(admin, 'revokePermission', 'SUPERVISOR', 'room:create');
    // On the process that did it there is nothing to wait for.
    expect((await attempt(supervisor, 'createRoom', group)).errors[0]?.extensions).toMatchObject({
      code: 'FORBIDDEN',
      permission: 'room:create',
    });
    await change(admin, 'grantPermission', 'SUPERVISOR', 'room:create');
    expect(await permissionsOf(supervisor)).toContain('room:create');
  });

  test('a permission that was granted in a room adds to those of a member, and can be told from the room', async () => {
    const channel = await createRoom(admin, { kind: 'CHANNEL', name: 'News' });
    const ask = async (client: Visitor) =>
      listAt(
        (await client.query('query ($id: ID!) { room(id: $id) { viewerPermissions } }', { id: channel })).data,
        'room.viewerPermissions',
      );
    expect(await ask(ana)).toEqual(['room:read', 'member:read']);
    expect(await ask(admin)).toEqual(expect.arrayContaining(['room:archive', 'message:moderate', 'message:create']));
    await change(admin, 'grantPermission', 'AGENT', 'message:read');
    await waitFor('message:read', async () => (await ask(ana)).includes('message:read'));
    await change(admin, 'revokePermission', 'AGENT', 'message:read');
    await waitFor(`no ${'message:read'}`, async () => !(await ask(ana)).includes('message:read'));
  });

  test('a subscription ends when the tenant takes its permission away, on the other process too', async () => {
    const follower = ana.subscribe('subscription ($ids: [ID!]) { presence(userIds: $ids) { __typename } }', {
      ids: [admin.id],
    });
    await follower.next();
    await change(admin, 'revokePermission', 'AGENT', 'presence:read');
    await waitFor('the end of the subscription', () => follower.ended);
    expect(follower.failures).toEqual([]);
    await follower.stop();
    await change(admin, 'grantPermission', 'AGENT', 'presence:read');
  });

  test('who watched the grants is told of each change, and of none when it has stopped', async () => {
    const house = await openHouse({ databaseUrl });
    const { roles, actor } = await house.callerOf(person('watched', 'Wanda'));
    let told = 0;
    const watchers = [1, 2].map(() => ({ grantsChanged: () => void told++ }));
    for (const watcher of watchers) roles.watch(actor.tenantId, watcher);
    await roles.changed(actor.tenantId);
    expect(told).toBeGreaterThanOrEqual(2);
    for (const watcher of watchers) roles.unwatch(actor.tenantId, watcher);
    told = 0;
    await roles.changed(actor.tenantId);
    expect(told).toBe(0);
  });

  test('twice changes nothing, and only what changes is recorded', async () => {
    const count = async () => {
      const { data } = await admin.query(
        '{ auditLog(filter: { action: "permission.grant", targetId: "AGENT" }) { nodes { metadata { name value } } } }',
      );
      return listAt(data, 'auditLog.nodes').length;
    };
    const before = await count();
    await Promise.all([1, 2, 3].map(() => change(admin, 'grantPermission', 'AGENT', 'member:add')));
    expect(await count()).toBe(before + 1);
    await change(admin, 'revokePermission', 'AGENT', 'member:add');
  });

  test('admins cannot lose what they would need to take it back', async () => {
    const refused = await change(admin, 'revokePermission', 'ADMIN', 'permission:update');
    expect(at(refused.data, 'revokePermission')).toMatchObject({
      __typename: 'ValidationError',
      field: 'input.permission',
    });
    const unknown = await change(admin, 'grantPermission', 'AGENT', 'room:explode');
    expect(at(unknown.data, 'grantPermission')).toMatchObject({ field: 'input.permission' });
    await change(admin, 'revokePermission', 'ADMIN', 'permission:read');
    expect((await admin.query('{ permissions { permission } }')).errors[0]?.extensions).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect((await change(ana, 'grantPermission', 'AGENT', 'audit:read')).errors[0]?.extensions).toMatchObject({
      code: 'FORBIDDEN',
      permission: 'permission:update',
    });
    await change(admin, 'grantPermission', 'ADMIN', 'permission:read');
    expect(textAt((await admin.query('{ permissions { permission } }')).data, 'permissions.0.permission')).toBe(
      'user:read',
    );
  });
});
