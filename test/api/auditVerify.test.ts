import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../services/database.ts';
import { createRoom } from '../support/acting.ts';
import { openTampering, type Tampering } from '../support/auditTampering.ts';
import { person } from '../support/people.ts';
import { startServer, type Visitor } from '../support/server.ts';

const databaseUrl = await createTestDatabase();
const program = fileURLToPath(new URL('../../src/domains/governance/cli/auditVerify.ts', import.meta.url));
let tampering: Tampering;
let ada: Visitor;

beforeAll(async () => {
  const server = await startServer({ databaseUrl });
  for (const tenant of ['acme', 'other']) {
    const admin = await server.signIn(person(tenant, 'Ada', 'admin'));
    for (const name of ['One', 'Two']) await createRoom(admin, { kind: 'GROUP', name });
    if (tenant === 'acme') ada = admin;
  }
  tampering = await openTampering(databaseUrl);
});
afterAll(() => tampering.close());

function verify(...args: readonly string[]) {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n'), stderr: stderr.trim() };
}

describe('G5: npm run audit:verify', () => {
  test('tells the last number and hash of every trail that is whole', () => {
    const { status, lines } = verify();
    expect(status).toBe(0);
    expect(lines).toEqual([
      expect.stringMatching(/^acme: intact, 3 entries; the last is 3:[0-9a-f]{64}$/),
      expect.stringMatching(/^other: intact, 3 entries; the last is 3:[0-9a-f]{64}$/),
    ]);
  });

  test('names the tenant and the number of what was changed, and fails', async () => {
    const change =
      "UPDATE audit_entries SET actor_name = 'Eve' WHERE number = 2 AND tenant_id = (SELECT id FROM tenants WHERE key = $1)";
    await tampering.undoAfter(change, ['acme'], async () => {
      expect(verify()).toMatchObject({
        status: 1,
        lines: ['acme: ALTERED at 2', expect.stringMatching('other: intact')],
      });
      expect(verify('--tenant', 'other')).toMatchObject({ status: 0, lines: [expect.stringMatching('other: intact')] });
    });
    expect(verify('--tenant', 'acme').status).toBe(0);
  });

  test.each([
    "created_at = 'infinity'",
    "created_at = '290000-01-01'",
    "created_at = '4000-01-01 BC'",
    "metadata = 'null'",
    "metadata = '[]'",
    'metadata = \'"text"\'',
  ])('finds what can hardly be read: %s', async (change) => {
    const text = `UPDATE audit_entries SET ${change} WHERE number = 2 AND tenant_id = (SELECT id FROM tenants WHERE key = $1)`;
    await tampering.undoAfter(text, ['acme'], async () => {
      expect(verify()).toMatchObject({
        status: 1,
        lines: ['acme: ALTERED at 2', expect.stringMatching('other: intact')],
      });
      const { data, errors } = await ada.query(
        '{ auditVerification { problem } auditLog { nodes { number createdAt metadata { name value } } } }',
      );
      expect(errors).toEqual([]);
      expect(data).toMatchObject({ auditVerification: { problem: 'ALTERED' }, auditLog: { nodes: { length: 3 } } });
    });
  });

  test('finds a trail that was cut back together with its head, by the last entry that was noted before', async () => {
    const noted = verify('--tenant', 'acme').lines[0]?.match(/\d+:[0-9a-f]{64}$/)?.[0] ?? '';
    expect(verify('--tenant', 'acme', '--noted', noted).status).toBe(0);
    const tenant = '(SELECT id FROM tenants WHERE key = $1)';
    const cutBack = `WITH removed AS (DELETE FROM audit_entries WHERE number = 3 AND tenant_id = ${tenant} RETURNING previous_hash)
      UPDATE audit_heads SET number = 2, hash = (SELECT previous_hash FROM removed) WHERE tenant_id = ${tenant}`;
    await tampering.undoAfter(cutBack, ['acme'], async () => {
      expect(verify('--tenant', 'acme').lines).toEqual([expect.stringMatching('acme: intact, 2 entries')]);
      expect(verify('--tenant', 'acme', '--noted', noted)).toMatchObject({ status: 1, lines: ['acme: REMOVED at 3'] });
    });
    const other = noted.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    expect(verify('--tenant', 'acme', '--noted', other)).toMatchObject({ status: 1, lines: ['acme: ALTERED at 3'] });
  });

  test('explains what it cannot do in one line', () => {
    expect(verify('--noted', '3:abc')).toMatchObject({ status: 2, stderr: expect.stringMatching('--tenant') });
    expect(verify('--tenant', 'acme', '--noted', '3')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching('NUMBER:HASH'),
    });
    expect(verify('--tenant', 'nobody')).toMatchObject({ status: 2, stderr: 'there is no tenant nobody' });
    expect(verify('--all')).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: npm run audit:verify/) });
  });
});
