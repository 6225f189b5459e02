import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { adminTabs } from '../../src/transport/adminTabs.ts';
import { createTestDatabase } from '../services/database.ts';
import { administer } from '../services/postgres.ts';
import { attempt, createRoom, send } from '../support/acting.ts';
import { type Client, createClient } from '../support/client.ts';
import { type Demo, startDemo } from '../support/demo.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { waitFor } from '../support/waiting.ts';

// docs/admin.md as an admin would follow it, against the program with its worker.

const page = await readFile(fileURLToPath(new URL('../../docs/admin.md', import.meta.url)), 'utf8');
const blocks = new Map(
  [...page.matchAll(/^```graphql\n(.*?)^```$/gms)].map(([, code = '']) => [/\w+ (\w+)/.exec(code)?.[1], code]),
);
const databaseUrl = await createTestDatabase();

let demo: Demo;
let ana: Client;
let room: string;
/** The documents of the tabs, by the operation that comes first in them. */
let tabs: ReadonlyMap<string | undefined, string>;

beforeAll(async () => {
  demo = await startDemo({ databaseUrl });
  ana = createClient(demo.url, demo.tokens.admin);
  room = await createRoom(ana, { kind: 'GROUP', name: 'for admins' });
  tabs = new Map(
    adminTabs(room).map(({ query }) => [/^(?:query|mutation|subscription) (\w+)/m.exec(query)?.[1], query]),
  );
});

/** Runs a document; nothing of it may fail. @returns what its only field gives. */
async function run(document: string | undefined, variables: object, field: string, client = ana): Promise<unknown> {
  const { data, errors } = await client.query(document ?? 'missing', { ...variables });
  expect(errors).toEqual([]);
  expect(at(data, `${field}.code`)).toBeUndefined();
  return at(data, field);
}

/** As `run`, for a document of several operations, of which GraphiQL asks for one. */
function operation(document: string | undefined, name: string): string {
  const start = document?.search(new RegExp(`^mutation ${name}\\b`, 'm')) ?? -1;
  const end = document?.indexOf('\n}', start) ?? -1;
  if (!document || start < 0 || end < 0) throw new Error(`there is no ${name}`);
  return document.slice(start, end + 2);
}

/** Follows a purge as the page says, until it has ended. @returns the states that were shown. */
async function watch(id: string): Promise<readonly unknown[]> {
  const follower = ana.subscribe(tabs.get('PurgeProgress') ?? '', { id });
  await waitFor('the end of the purge', () => follower.ended);
  await follower.stop();
  expect(follower.failures).toEqual([]);
  return follower.received.map((shown) => at(shown, 'purgeProgress'));
}

const stopTab = () => tabs.get('CancelPurge');
const now = () => new Date(Date.now() + 1).toISOString();

describe('G6, G10 the steps of docs/admin.md', () => {
  test('name the tabs that there are, in their order', () => {
    const steps = [...page.matchAll(/^\d\. \*\*(\w+)\*\*/gm)].map(([, name]) => name);
    expect(steps).toEqual([...tabs.keys()]);
    expect(page).toContain('`UndoPurge`');
  });

  test('preview, purge, watch, undo, and find it in the audit trail', async () => {
    const bodies = ['one', 'two', 'three'];
    for (const body of bodies) await send(ana, room, body);
    const input = { before: now(), roomId: room, mode: 'SOFT' };
    await waitFor('the next millisecond', () => now() > input.before);
    expect(await run(tabs.get('PurgePreview'), { input }, 'purgePreview')).toEqual({
      messages: 3,
      rooms: 1,
      heldRooms: 0,
    });
    const started = await run(tabs.get('StartPurge'), { input: { ...input, nonce: 'once' } }, 'purgeMessages');
    const id = textAt(started, 'purge.id');
    const again = await run(tabs.get('StartPurge'), { input: { ...input, nonce: 'once' } }, 'purgeMessages');
    expect(textAt(again, 'purge.id')).toBe(id);
    expect((await watch(id)).at(-1)).toMatchObject({ status: 'DONE', progress: 1, rows: 3, estimate: 3 });

    const shown =
      'query ($id: ID!) { room(id: $id) { messages { nodes { body kind } } } purges { nodes { id rows creator { name } } } }';
    const { data: purged } = await ana.query(shown, { id: room });
    const textsOf = (data: unknown) =>
      listAt(data, 'room.messages.nodes').flatMap((node) => (at(node, 'kind') === 'TEXT' ? [at(node, 'body')] : []));
    expect(textsOf(purged)).toEqual([null, null, null]);
    expect(at(purged, 'purges.nodes.0')).toEqual({ id, rows: 3, creator: { name: 'Ana Souza' } });

    const stopped = await ana.query(operation(stopTab(), 'CancelPurge'), { input: { id } });
    expect(at(stopped.data, 'cancelPurge.code')).toBe('PURGE_STATE');
    await run(operation(stopTab(), 'UndoPurge'), { input: { id } }, 'undoPurge');
    expect((await watch(id)).at(-1)).toMatchObject({ status: 'UNDONE' });
    expect(textsOf((await ana.query(shown, { id: room })).data)).toEqual(bodies);

    const trail = await run(tabs.get('AuditLog'), { filter: { targetId: id } }, 'auditLog');
    const entries = listAt(trail, 'nodes').map((entry) => [at(entry, 'action'), at(entry, 'actorName')]);
    expect(entries).toEqual(
      expect.arrayContaining([
        ['purge.create', 'Ana Souza'],
        ['purge.undo', 'Ana Souza'],
      ]),
    );
  });

  test('remove a single message for good; replies to it stay', async () => {
    const { id } = await send(ana, room, 'to be removed');
    const reply = await send(ana, room, 'a reply', { replyToId: id });
    expect(await run(blocks.get('Remove'), { id }, 'removeMessage')).toEqual({ messageId: id });
    const { data } = await ana.query(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { body replyTo { id } } } }',
      {
        ids: [id, reply.id],
      },
    );
    expect(data).toEqual({ nodes: [null, { body: 'a reply', replyTo: null }] });
  });

  test('say how long messages are kept, and take it back', async () => {
    const kept = await run(blocks.get('Keep'), { days: 30 }, 'setRetention');
    expect(kept).toEqual({ policy: { retentionDays: 30, retentionMode: 'PERMANENT' } });
    const { data } = await ana.query('{ governancePolicy { retentionDays } }');
    expect(data).toEqual({ governancePolicy: { retentionDays: 30 } });
    expect(await run(blocks.get('Keep'), { days: null }, 'setRetention')).toMatchObject({
      policy: { retentionDays: null },
    });
  });

  test('put a room under a hold: nothing of it is purged or removed', async () => {
    const { id } = await send(ana, room, 'evidence');
    const held = await run(blocks.get('Hold'), { room, reason: 'case 7' }, 'setLegalHold');
    expect(held).toMatchObject({ policy: { legalHold: { since: expect.any(String), reason: 'case 7' } } });
    const refused = await ana.query(blocks.get('Remove') ?? '', { id });
    expect(at(refused.data, 'removeMessage.code')).toBe('LEGAL_HOLD');
    const { data } = await ana.query('{ roomPolicies { nodes { roomId } } }');
    expect(data).toEqual({ roomPolicies: { nodes: [{ roomId: room }] } });
    await attempt(ana, 'setLegalHold', { roomId: room, held: false });
    await run(blocks.get('Remove'), { id }, 'removeMessage');
  });

  test('find the rooms that have fallen silent', async () => {
    const quiet = await createRoom(ana, { kind: 'GROUP', name: 'quiet' });
    await administer(
      databaseUrl,
      `UPDATE rooms SET last_activity_at = now() - interval '91 days' WHERE name = 'quiet'`,
    );
    const [call] = /silentRooms\(days: \d+\)/.exec(page) ?? [];
    const { data } = await ana.query(`{ ${call} { nodes { roomId } } }`);
    expect(data).toEqual({ silentRooms: { nodes: [{ roomId: quiet }] } });
    expect(await run(blocks.get('Silence'), { days: 10 }, 'setSilentDays')).toEqual({ policy: { silentDays: 10 } });
    await run(blocks.get('Silence'), { days: null }, 'setSilentDays');
  });

  test('every operation of the page is run here, and whatever it names is there', () => {
    expect([...blocks.keys()].sort()).toEqual(['Hold', 'Keep', 'Remove', 'Silence']);
    const known = new Set(
      Object.values(schema.getTypeMap()).flatMap((type) => [
        type.name,
        ...('getFields' in type ? Object.keys(type.getFields()) : []),
        ...('getValues' in type ? type.getValues().map(({ name }) => name) : []),
      ]),
    );
    const named = [...page.replace(/^```.*?^```$/gms, '').matchAll(/`(\w+)(?:\(.*?\)|: .*?)?`/g)].map(
      ([, name = '']) => name,
    );
    // Arguments, settings, codes and the tab beside its sister are no parts of the schema.
    const others = [
      'admin',
      'UndoPurge',
      'PurgePreview',
      'STATEMENT_TIMEOUT_MS',
      'SILENT_ROOM_DAYS',
      'TIMEOUT',
      'room',
    ];
    expect(named.filter((name) => !known.has(name) && !others.includes(name))).toEqual([]);
  });
});
