import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { embeddedEngine, postgresEngine } from '../../src/db/engine.ts';
import { applyMigrations } from '../../src/db/migrations.ts';
import { type SqlValue, sql } from '../../src/db/sql.ts';
import { importSlackExport } from '../../src/import/importSlack.ts';
import { openSlackExport } from '../../src/import/slack.export.ts';
import { zipOf } from './zipWriter.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'prosa-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A path in a folder that is thrown away after the file's last test. */
export function scratch(name: string): string {
  return path.join(folder, name);
}

/** Both databases of the house, to run every test on. */
export function bothDatabases(postgresUrl: string) {
  return [
    { name: 'PostgreSQL', open: async () => openDatabase(postgresEngine(postgresUrl, 5, () => undefined)) },
    {
      name: 'the embedded database',
      async open() {
        const engine = await embeddedEngine(scratch(`data-${randomBytes(4).toString('hex')}`));
        await applyMigrations(engine.migrations);
        return openDatabase(engine);
      },
    },
  ];
}

/** Files of an export: what is no string or buffer becomes JSON. */
export type Files = Readonly<Record<string, unknown>>;

export function writeExport(files: Files): string {
  const file = scratch(`${randomBytes(6).toString('hex')}.zip`);
  const contents = Object.entries(files).map(([name, content]) => [
    name,
    typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
  ]);
  writeFileSync(file, zipOf(Object.fromEntries(contents)));
  return file;
}

export async function importFile(
  database: Database,
  file: string,
  tenant: string,
  options: { readonly markRead?: boolean } = {},
) {
  const source = await openSlackExport(file);
  try {
    return await importSlackExport(database, { source, tenant, ...options });
  } finally {
    source.close();
  }
}

let statements = 0;

/** Rows of a statement of the test's own. */
export function rows<Row>(database: Database, text: string, ...params: readonly SqlValue[]): Promise<Row[]> {
  return database.engine.run(sql<Row>(`test.${statements++}`, text), params);
}

const tables = ['actors', 'rooms', 'members', 'messages', 'message_edits', 'mentions', 'room_changes'];

/**
 * One line per table over all rows of the tenant, with the transactions that wrote them: an update that writes what was
 * there shows too.
 */
export async function fingerprint(database: Database, tenantId: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const table of tables) {
    const text = `SELECT '${table}' AS name, count(*)::int, md5(string_agg(xmin::text || t::text, ';' ORDER BY t::text)) AS hash
      FROM ${table} t WHERE tenant_id = $1`;
    found.push(...(await rows(database, text, tenantId)));
  }
  return found;
}

export interface StoredMessage {
  readonly id: string;
  readonly seq: bigint;
  readonly kind: string;
  readonly systemEvent: string | null;
  readonly author: string;
  readonly authorKind: string;
  readonly body: string;
  readonly replyTo: string | null;
  readonly mentionsRoom: boolean;
  readonly createdAt: Date;
  readonly editedAt: Date | null;
  readonly mentioned: readonly string[];
}

/** A room's messages in its order; `replyTo` is the body of the message that is answered. */
export function messagesOf(database: Database, tenantId: string, room: string): Promise<StoredMessage[]> {
  return rows(
    database,
    `SELECT m.id, m.seq, m.kind::text, m.system_event::text AS "systemEvent", a.name AS author,
       a.kind::text AS "authorKind", m.body, p.body AS "replyTo", m.mentions_room AS "mentionsRoom",
       m.created_at AS "createdAt", m.edited_at AS "editedAt",
       ARRAY(SELECT x.name FROM mentions n JOIN actors x ON x.tenant_id = $1 AND x.id = n.actor_id
             WHERE n.tenant_id = $1 AND n.message_id = m.id ORDER BY x.name) AS mentioned
     FROM messages m
     JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id
     JOIN actors a ON a.tenant_id = $1 AND a.id = m.author_id
     LEFT JOIN messages p ON p.tenant_id = $1 AND p.id = m.reply_to_id AND p.room_id = m.room_id
     WHERE m.tenant_id = $1 AND r.name = $2 ORDER BY m.seq`,
    tenantId,
    room,
  );
}

/** What is wrong with the counters of a tenant's rooms and members, against a recount; and with the order of `seq`. */
export async function findDrift(database: Database, tenantId: string): Promise<unknown[]> {
  const rooms = await rows(
    database,
    `SELECT r.name, r.version, r.message_count, r.last_message_seq, t.* FROM rooms r CROSS JOIN LATERAL (
       SELECT count(*) AS log, count(*) FILTER (WHERE entry <> 'SYSTEM' AND entry <> 'CHANGE') AS countable,
         max(seq) FILTER (WHERE entry <> 'SYSTEM' AND entry <> 'CHANGE') AS last, coalesce(max(seq), 0) AS newest
       FROM (SELECT seq, kind::text AS entry FROM messages m WHERE m.tenant_id = $1 AND m.room_id = r.id
             UNION ALL
             SELECT version, 'CHANGE' FROM room_changes c WHERE c.tenant_id = $1 AND c.room_id = r.id) AS log
     ) AS t
     WHERE r.tenant_id = $1 AND (r.version <> t.log OR r.version <> t.newest OR r.message_count <> t.countable
       OR r.last_message_seq IS DISTINCT FROM t.last)`,
    tenantId,
  );
  const members = await rows(
    database,
    `SELECT r.name, a.name AS member, r.message_count - b.read_count AS unread, t.unread AS recount
     FROM members b
     JOIN rooms r ON r.tenant_id = $1 AND r.id = b.room_id
     JOIN actors a ON a.tenant_id = $1 AND a.id = b.actor_id
     CROSS JOIN LATERAL (
       SELECT count(*) AS unread FROM messages m WHERE m.tenant_id = $1 AND m.room_id = r.id AND m.kind <> 'SYSTEM'
         AND m.deleted_at IS NULL AND m.author_id <> b.actor_id AND m.seq > b.last_read_seq) AS t
     WHERE b.tenant_id = $1 AND r.message_count - b.read_count <> t.unread`,
    tenantId,
  );
  // As many as the rooms that he was added to: nobody leaves in an import.
  const actors = await rows(
    database,
    `SELECT a.name, a.membership_version, (SELECT count(*) FROM members b WHERE b.tenant_id = $1 AND b.actor_id = a.id)
     FROM actors a WHERE a.tenant_id = $1 AND a.membership_version
       <> (SELECT count(*) FROM members b WHERE b.tenant_id = $1 AND b.actor_id = a.id)`,
    tenantId,
  );
  return [...rooms, ...members, ...actors];
}
