import { parseArgs } from 'node:util';
import { readDatabaseSettings } from '../../../config.ts';
import { openDatabase } from '../../../db/database.ts';
import { embeddedEngine, postgresEngine } from '../../../db/engine.ts';
import { applyMigrations } from '../../../db/migrations.ts';
import { verifyAuditTrail } from '../verification.service.ts';

const usage = `usage: npm run audit:verify [-- --tenant KEY]
  --tenant KEY   only the tenant of this name in the host product; all tenants where omitted`;

/** @returns whether every trail is whole. */
async function verifyAll(key: string | undefined): Promise<boolean> {
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
      const { entries, problem, head } = await verifyAuditTrail(database.forTenant(tenant.id));
      if (problem) {
        intact = false;
        console.log(`${tenant.key}: ${problem.kind} at ${problem.number}`);
      } else {
        const purged = head.cutNumber > 0n ? `, ${head.cutNumber} purged before` : '';
        console.log(`${tenant.key}: intact, ${entries} entries${purged}; the last is ${head.number} ${head.hash}`);
      }
    }
    return intact;
  } finally {
    await database.close();
  }
}

try {
  const { values } = parseArgs({ options: { tenant: { type: 'string' } } });
  process.exitCode = (await verifyAll(values.tenant)) ? 0 : 1;
} catch (error) {
  const unknownOption =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  console.error(unknownOption ? usage : error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
