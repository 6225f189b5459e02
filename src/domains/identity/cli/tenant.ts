import { parseArgs } from 'node:util';
import { readDatabaseSettings } from '../../../config.ts';
import { type Database, openDatabase } from '../../../db/database.ts';
import { embeddedEngine, postgresEngine } from '../../../db/engine.ts';
import { applyMigrations } from '../../../db/migrations.ts';
import { allFeatures, type Entitlements, type Feature, isFeature } from '../../../kernel/entitlements.ts';
import { highestLimit } from '../entitlements.rules.ts';
import { readEntitlements, setEntitlements } from '../entitlements.service.ts';
import { ensureTenant, findTenant } from '../identity.store.ts';

const usage = `usage: npm run tenant -- show KEY
       npm run tenant -- entitle KEY [--feature NAME=on|off]… [--max-users N] [--max-rooms N] [--max-members-per-room N]
  KEY    the tenant's name in the host product (the claim \`tenant\` of its tokens); \`entitle\` makes one that is new
  NAME   ${allFeatures.map(optionOf).join(', ')}
  N      a whole number, or none for as many as they like
What is not named stays as it is.`;

/** The operator has to say it otherwise; the message is for a person. */
class UsageError extends Error {}

function optionOf(feature: Feature): string {
  return feature.toLowerCase().replaceAll('_', '-');
}

type Change = (current: Entitlements) => Entitlements;

function parseFeature(text: string): Change {
  const [, name = '', state = ''] = /^([\w-]+)=(on|off)$/.exec(text) ?? [];
  const feature = name.toUpperCase().replaceAll('-', '_');
  if (state === '' || !isFeature(feature)) throw new UsageError(`--feature ${text}: expected NAME=on or NAME=off`);
  return (current) => {
    const features = new Set(current.features);
    if (state === 'on') features.add(feature);
    else features.delete(feature);
    return { ...current, features };
  };
}

function parseLimit(option: string, limit: keyof Entitlements['limits'], text: string): Change {
  const max = text === 'none' ? null : Number(text);
  if (max !== null && !(/^\d+$/.test(text) && max <= highestLimit)) {
    throw new UsageError(`--${option} ${text}: expected a whole number up to ${highestLimit}, or none`);
  }
  return (current) => ({ ...current, limits: { ...current.limits, [limit]: max } });
}

const limitOptions = {
  'max-users': 'USERS',
  'max-rooms': 'ROOMS',
  'max-members-per-room': 'MEMBERS_PER_ROOM',
} as const;

/** @throws UsageError */
function readArguments() {
  const options = {
    feature: { type: 'string', multiple: true },
    'max-users': { type: 'string' },
    'max-rooms': { type: 'string' },
    'max-members-per-room': { type: 'string' },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : usage);
  }
  const { values, positionals } = parsed;
  const [command, given, ...more] = positionals;
  const key = given?.trim() ?? '';
  // As in the claims of a token: no other key could ever be signed in to.
  if (key === '' || key.length > 128 || more.length > 0)
    throw new UsageError('KEY has to be one of 1 to 128 characters');
  const changes = (values.feature ?? []).map(parseFeature);
  for (const option of Object.keys(limitOptions) as (keyof typeof limitOptions)[]) {
    const text = values[option];
    if (text !== undefined) changes.push(parseLimit(option, limitOptions[option], text));
  }
  if (command === 'show' && changes.length === 0) return { command, key, changes } as const;
  if (command === 'entitle' && changes.length > 0) return { command, key, changes } as const;
  throw new UsageError(command === 'entitle' ? 'nothing to change was named' : 'expected show or entitle');
}

async function openConfigured(): Promise<Database> {
  const { databaseUrl, databasePoolSize, dataDir } = readDatabaseSettings();
  if (databaseUrl) return openDatabase(postgresEngine(databaseUrl, databasePoolSize, () => undefined));
  const engine = await embeddedEngine(dataDir);
  await applyMigrations(engine.migrations);
  return openDatabase(engine);
}

function describe(key: string, { features, limits }: Entitlements): string {
  const states = allFeatures.map((feature) => `  ${optionOf(feature)}: ${features.has(feature) ? 'on' : 'off'}`);
  const maxima = Object.entries(limitOptions).map(([option, limit]) => `  ${option}: ${limits[limit] ?? 'none'}`);
  return [key, ...states, ...maxima].join('\n');
}

async function main(): Promise<void> {
  const { command, key, changes } = readArguments();
  const database = await openConfigured();
  try {
    const tenant = command === 'entitle' ? await ensureTenant(database, key) : await findTenant(database, key);
    if (!tenant) throw new UsageError(`there is no tenant ${key}`);
    const db = database.forTenant(tenant.id);
    const entitlements =
      command === 'show'
        ? await readEntitlements(db)
        : await db.transaction((tx) =>
            setEntitlements(tx, (current) => changes.reduce((so, change) => change(so), current)),
          );
    console.log(describe(key, entitlements));
  } finally {
    await database.close();
  }
}

main().catch((error: unknown) => {
  if (error instanceof UsageError) console.error(`${error.message}\n${usage}`);
  else console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
