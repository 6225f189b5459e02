import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PgBoss } from 'pg-boss';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sql } from '../../src/db/sql.ts';
import { purgeMessages } from '../../src/domains/governance/purge.service.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { createRoom as createGroup } from '../../src/domains/rooms/opening.service.ts';
import { createTestDatabase } from '../services/database.ts';
import { createRoom, openDirectRoom, send } from '../support/acting.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl });
const at = (url: string) => new URL('/metrics', url);

async function metricsOf(url: string): Promise<string> {
  const response = await fetch(at(url));
  expect(response.headers.get('content-type')).toContain('text/plain');
  return response.text();
}

/** The value of a sample, as `name` or `name{label="value"}`; 0 where there is none. */
async function sampleOf(sample: string): Promise<number> {
  const line = (await metricsOf(server.url)).split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? 0);
}

describe('G8 metrics', () => {
  test('count messages, rooms and actions once they are committed', async () => {
    const ana = await server.signIn(person('acme', 'Ana', 'admin'));
    const bruno = await server.signIn(person('acme', 'Bruno'));
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'metrics', memberIds: [bruno.id] });
    await openDirectRoom(ana, bruno.id);
    await openDirectRoom(bruno, ana.id);
    for (const nonce of ['a', 'a', 'b']) await send(ana, roomId, 'counted', { nonce });
    expect(await sampleOf('prosa_rooms_created_total')).toBe(2);
    expect(await sampleOf('prosa_messages_sent_total')).toBe(2);
    expect(await sampleOf('prosa_audited_actions_total{action="room.create"}')).toBe(2);
  });

  test('show sockets and subscriptions that are open, and how long deliveries take', async () => {
    const ana = await server.signIn(person('live', 'Ana', 'admin'));
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'live' });
    await send(ana, roomId, 'long ago');
    const document = `subscription { messageAdded(roomId: "${roomId}") { ... on MessageAdded { message { body } } } }`;
    const socket = ana.subscribe(document);
    const stream = ana.stream(document);
    await waitFor('both', async () => (await sampleOf('prosa_subscriptions')) === 2);
    expect(await sampleOf('prosa_sockets')).toBe(1);
    expect(await sampleOf('prosa_delivery_seconds_count')).toBe(0);
    await send(ana, roomId, 'now');
    await waitFor('both deliveries', async () => (await sampleOf('prosa_deliveries_total')) === 2);
    // Both were written to at the same time.
    expect(await sampleOf('prosa_delivery_seconds_count')).toBe(1);
    expect(await sampleOf('prosa_delivery_seconds_sum')).toBeLessThan(2);
    await send(ana, roomId, 'and another');
    await waitFor('four deliveries', async () => (await sampleOf('prosa_deliveries_total')) === 4);
    expect(await sampleOf('prosa_delivery_seconds_count')).toBe(2);
    await socket.stop();
    await stream.stop();
    await waitFor('the end of both', async () => (await sampleOf('prosa_subscriptions')) === 0);
    await waitFor('the end of the socket', async () => (await sampleOf('prosa_sockets')) === 0);
  });

  test('time operations by kind, and by name only where the name is known beforehand', async () => {
    const ana = await server.signIn(person('names', 'Ana', 'admin'));
    await ana.query('query Viewer { serverTime }');
    for (let index = 0; index < 5; index++) await ana.query(`query Invented${index} { serverTime }`);
    await ana.query('query Invented { nothing }');
    const text = await metricsOf(server.url);
    expect(text).not.toContain('Invented');
    const count = (labels: string) => sampleOf(`prosa_operation_duration_seconds_count{${labels}}`);
    expect(await count('kind="query",name="Viewer",outcome="ok"')).toBe(1);
    expect(await count('kind="query",name="other",outcome="ok"')).toBeGreaterThanOrEqual(5);
    expect(await count('kind="query",name="other",outcome="error"')).toBe(1);
  });

  test('show the jobs that wait', async () => {
    expect(await metricsOf(server.url)).not.toContain('prosa_jobs_waiting{');
    const boss = new PgBoss(server.foundation.database.engine.jobStore);
    await boss.start();
    await boss.createQueue('test.wait');
    await boss.send('test.wait', {});
    await boss.stop();
    expect(await metricsOf(server.url)).toMatch(/^prosa_jobs_waiting\{queue="test\.wait"\} 1$/m);
  });

  test('show how far the purges are that are under way, or were left, and nothing of those that have ended', async () => {
    const admin = await server.callerOf(person('purging', 'Ana', 'admin'));
    const { jobDeps } = server.foundation;
    const roomId = await createGroup(admin, { kind: 'GROUP', name: 'old', topic: undefined, memberIds: [] });
    await fillRoom(admin, roomId, 25);
    const shown = async () => ({
      done: await sampleOf('prosa_purge_messages{state="done"}'),
      expected: await sampleOf('prosa_purge_messages{state="expected"}'),
    });
    expect(await shown()).toEqual({ done: 0, expected: 0 });
    await purgeMessages(admin, { before: new Date(), roomId, mode: 'PERMANENT', nonce: undefined });
    // No worker runs: what is between two batches is what a dead one leaves.
    await purgeBatch(jobDeps, admin.actor.tenantId, 10);
    expect(await shown()).toEqual({ done: 10, expected: 25 });
    await purgeBatch(jobDeps, admin.actor.tenantId, 10);
    expect(await shown()).toEqual({ done: 20, expected: 25 });
    while (await purgeBatch(jobDeps, admin.actor.tenantId, 10));
    expect(await shown()).toEqual({ done: 0, expected: 0 });
  });

  test('that the database does not tell are absent, counted and logged once; the others are there', async () => {
    const breaking = await startServer({ databaseUrl: await createTestDatabase() });
    const rename = (from: string, to: string) =>
      breaking.foundation.database.engine.run(sql<never>('', `ALTER TABLE ${from} RENAME TO ${to}`), []);
    const warnings = () => breaking.log.lines.filter((line) => line.msg === 'a metric could not be read');
    expect(await metricsOf(breaking.url)).toContain('prosa_purge_messages{state="done"} 0');
    expect(await metricsOf(breaking.url)).not.toContain('prosa_scrape_errors_total{');
    await rename('purges', 'purges_gone');
    for (let scrape = 0; scrape < 3; scrape++) {
      const text = await metricsOf(breaking.url);
      expect(text).not.toContain('prosa_purge_messages{');
      expect(text).toContain('prosa_sockets 0');
    }
    expect(await metricsOf(breaking.url)).toMatch(/^prosa_scrape_errors_total\{metric="prosa_purge_messages"\} [34]$/m);
    expect(warnings()).toMatchObject([{ level: 40, metric: 'prosa_purge_messages' }]);
    await rename('purges_gone', 'purges');
    expect(await metricsOf(breaking.url)).toContain('prosa_purge_messages{state="done"} 0');
    await rename('purges', 'purges_gone');
    await metricsOf(breaking.url);
    expect(warnings()).toHaveLength(2);
  });

  test('are for this machine only, and not through a proxy; with a token, for who has it', async () => {
    const through = await fetch(at(server.url), { headers: { 'x-forwarded-for': '127.0.0.1' } });
    expect(through.status).toBe(404);
    const guarded = await startServer({ databaseUrl, settings: { METRICS_TOKEN: 'a token for metrics' } });
    expect((await fetch(at(guarded.url))).status).toBe(404);
    const wrong = await fetch(at(guarded.url), { headers: { authorization: 'Bearer another for metrics' } });
    expect(wrong.status).toBe(404);
    const right = await fetch(at(guarded.url), { headers: { authorization: 'Bearer a token for metrics' } });
    expect(right.status).toBe(200);
    const off = await startServer({ databaseUrl, settings: { METRICS: 'false' } });
    expect((await fetch(at(off.url))).status).toBe(404);
  });

  test('are all that the dashboard asks for', async () => {
    const file = fileURLToPath(new URL('../../docs/grafana.json', import.meta.url));
    const dashboard = z
      .object({ panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })) })
      .parse(JSON.parse(await readFile(file, 'utf8')));
    const text = await metricsOf(server.url);
    const known = new Set(
      [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
      ),
    );
    const asked = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/prosa_\w+/g) ?? []),
    );
    expect(asked.length).toBeGreaterThan(8);
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
    for (const name of ['prosa_messages_sent_total', 'prosa_jobs_waiting', 'prosa_purge_messages']) {
      expect(asked).toContain(name);
    }
  });
});
