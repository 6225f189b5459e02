import { parseArgs } from 'node:util';
import { readDatabaseSettings } from '../../../config.ts';
import { openDatabase } from '../../../db/database.ts';
import { embeddedEngine, postgresEngine } from '../../../db/engine.ts';
import { applyMigrations } from '../../../db/migrations.ts';
import type { NotedEntry } from '../audit.rules.ts';
import { verifyAuditTrail } from '../verification.service.ts';

const usage = `usage: npm run audit:verify [-- --tenant KEY [--noted NUMBER:HASH]]
  --tenant KEY          only the tenant of this name in the host product; all tenants where omitted
  --noted NUMBER:HASH   the last entry as an earlier check printed it, and you kept it elsewhere: it has to be there still`;

/** @returns whether every trail is whole. */
async function verifyAll(key: string | undefined, noted: NotedEntry | null): Promise<boolean> {
  const { databaseUrl, databasePoolSize, dataDir } = readDatabaseSettings();
  const engine = databaseUrl
    ? postgresEngine(databaseUrl, databasePoolSize, () => undefined)
    : await embeddedEngine(dataDir);
  const database = openDatabase(engine);
  try {
    if (!databaseUrl) await applyMigrations(engine.migrations);
    const where = key === undefined ? {} : { key };
    const tenants = await database.prisma.tenant.findMany({ where, orderBy: { key: 'asc' } });
    if (key !== undefined && tenants.length === 0) throw new Error(`there is no tenant ${key}`);
    let intact = true;
    for (const tenant of tenants) {
      const { entries, problem, head } = await verifyAuditTrail(database.forTenant(tenant.id), noted);
      if (problem) {
        intact = false;
        console.log(`${tenant.key}: ${problem.kind} at ${problem.number}`);
      } else {
        const purged = head.cutNumber > 0n ? `, ${head.cutNumber} purged before` : '';
        console.log(`${tenant.key}: intact, ${entries} entries${purged}; the last is ${head.number}:${head.hash}`);
      }
    }
    return intact;
  } finally {
    await database.close();
  }
}

function parseNoted(text: string): NotedEntry {
  const [, number, hash] = /^(\d{1,18}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined || hash === undefined) throw new Error('--noted: as NUMBER:HASH, as a check prints it');
  return { number: BigInt(number), hash };
}

try {
  const { values } = parseArgs({ options: { tenant: { type: 'string' }, noted: { type: 'string' } } });
  const { tenant, noted } = values;
  if (noted !== undefined && tenant === undefined) throw new Error('--noted: say with --tenant whose it is');
  process.exitCode = (await verifyAll(tenant, noted === undefined ? null : parseNoted(noted))) ? 0 : 1;
} catch (error) {
  const unknownOption =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  console.error(unknownOption ? usage : error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
