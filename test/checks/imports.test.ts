import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const configFile = path.join(root, '.config/dependency-cruiser.mjs');
const config = await extractConfig(configFile);
const scratch = mkdtempSync(path.join(tmpdir(), 'imports-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Violation {
  readonly rule: string;
  readonly from: string;
  /** A file below src/, created for the purpose, or a package. */
  readonly to: string;
  readonly typeOnly?: boolean;
}

/** An import that the rule must refuse. The types of a forbidden module are forbidden too, unless the rule frees them. */
const violations: readonly Violation[] = [
  { rule: 'only-known-folders', from: 'utils/strings.ts', to: 'kernel/ids.ts' },
  { rule: 'only-known-domains', from: 'domains/billing/billing.service.ts', to: 'kernel/ids.ts' },
  { rule: 'only-known-domains', from: 'domains/rooms/helpers.ts', to: 'kernel/ids.ts' },
  { rule: 'no-one-imports-a-program', from: 'transport/http.ts', to: 'main.ts' },
  { rule: 'no-one-imports-a-program', from: 'db/migrations.ts', to: 'db/cli/migrate.ts' },
  {
    rule: 'server-demo-and-import-are-imported-from-above-only',
    from: 'transport/http.ts',
    to: 'server.ts',
    typeOnly: true,
  },
  { rule: 'server-demo-and-import-are-imported-from-above-only', from: 'server.ts', to: 'demo/demo.ts' },
  { rule: 'config-from-above', from: 'domains/rooms/rooms.service.ts', to: 'config.ts', typeOnly: true },
  { rule: 'server-demo-and-import-are-imported-from-above-only', from: 'server.ts', to: 'import/slack.ts' },
  { rule: 'config-from-above', from: 'db/database.ts', to: 'config.ts' },
  { rule: 'config-imports-nothing-of-ours', from: 'config.ts', to: 'kernel/errors.ts' },

  { rule: 'kernel-imports-nothing-of-ours', from: 'kernel/actor.ts', to: 'policy/can.ts', typeOnly: true },
  { rule: 'kernel-imports-nothing-of-ours', from: 'kernel/clock.ts', to: 'db/sql.ts' },
  { rule: 'kernel-does-no-io', from: 'kernel/logger.ts', to: 'node:fs/promises' },
  { rule: 'kernel-does-no-io', from: 'kernel/logger.ts', to: 'ioredis' },
  { rule: 'db-imports-kernel-only', from: 'db/cursors.ts', to: 'events/bus.ts' },
  { rule: 'db-imports-kernel-only', from: 'db/database.ts', to: 'policy/can.ts', typeOnly: true },
  { rule: 'events-import-db-and-kernel-only', from: 'events/live.ts', to: 'policy/can.ts' },
  { rule: 'events-import-db-and-kernel-only', from: 'events/live.ts', to: 'domains/rooms/rooms.service.ts' },
  { rule: 'policy-imports-kernel-only', from: 'policy/can.ts', to: 'db/sql.ts' },
  { rule: 'policy-imports-kernel-only', from: 'policy/can.ts', to: 'domains/rooms/rooms.service.ts', typeOnly: true },
  { rule: 'policy-does-no-io', from: 'policy/matrix.ts', to: 'node:fs' },
  { rule: 'policy-does-no-io', from: 'policy/can.ts', to: '@prisma/client' },

  { rule: 'rules-import-kernel-policy-and-types-only', from: 'domains/rooms/rooms.rules.ts', to: 'events/bus.ts' },
  {
    rule: 'rules-import-kernel-policy-and-types-only',
    from: 'domains/rooms/rooms.rules.ts',
    to: 'domains/rooms/rooms.store.ts',
  },
  { rule: 'rules-do-no-io', from: 'domains/rooms/rooms.rules.ts', to: 'node:child_process' },
  { rule: 'rules-do-no-io', from: 'domains/rooms/rooms.rules.ts', to: 'pg' },
  {
    rule: 'rules-are-below-services',
    from: 'domains/rooms/rooms.rules.ts',
    to: 'domains/rooms/rooms.service.ts',
    typeOnly: true,
  },
  { rule: 'stores-import-db-and-kernel-only', from: 'domains/rooms/rooms.store.ts', to: 'policy/can.ts' },
  { rule: 'stores-import-db-and-kernel-only', from: 'domains/rooms/rooms.store.ts', to: 'events/bus.ts' },
  {
    rule: 'stores-are-below-services',
    from: 'domains/rooms/rooms.store.ts',
    to: 'domains/rooms/rooms.service.ts',
    typeOnly: true,
  },
  { rule: 'types-import-types-only', from: 'domains/rooms/rooms.types.ts', to: 'domains/rooms/rooms.service.ts' },
  { rule: 'types-import-types-only', from: 'domains/caller.ts', to: 'db/database.ts' },
  { rule: 'services-are-below-graphql', from: 'domains/rooms/rooms.service.ts', to: 'graphql/context.ts' },
  {
    rule: 'services-are-below-graphql',
    from: 'domains/messages/messages.search.ts',
    to: 'domains/messages/messages.graphql.ts',
    typeOnly: true,
  },
  { rule: 'services-are-below-graphql', from: 'domains/caller.ts', to: 'transport/http.ts', typeOnly: true },
  {
    rule: 'store-is-private-to-its-domain',
    from: 'domains/messages/messages.service.ts',
    to: 'domains/rooms/rooms.store.ts',
  },
  {
    rule: 'store-is-private-to-its-domain',
    from: 'domains/messages/messages.store.ts',
    to: 'domains/rooms/rooms.store.ts',
    typeOnly: true,
  },
  { rule: 'stores-are-imported-by-domains-only', from: 'transport/http.ts', to: 'domains/rooms/rooms.store.ts' },
  {
    rule: 'only-services-and-types-cross-domains',
    from: 'domains/messages/messages.service.ts',
    to: 'domains/rooms/rooms.members.ts',
  },
  ...neighbours().map(([lower, higher]) => ({
    rule: `${lower}-imports-lower-domains-only`,
    from: `domains/${lower}/${lower}.service.ts`,
    to: `domains/${higher}/${higher}.service.ts`,
    typeOnly: true,
  })),
  {
    rule: 'identity-imports-lower-domains-only',
    from: 'domains/identity/identity.graphql.ts',
    to: 'domains/notifications/notifications.graphql.ts',
  },

  {
    rule: 'graphql-never-imports-a-store',
    from: 'domains/rooms/rooms.graphql.ts',
    to: 'domains/rooms/rooms.store.ts',
    typeOnly: true,
  },
  { rule: 'graphql-never-imports-a-store', from: 'graphql/context.ts', to: 'domains/rooms/rooms.store.ts' },
  { rule: 'graphql-never-imports-a-database-client', from: 'domains/rooms/rooms.graphql.ts', to: '@prisma/client' },
  {
    rule: 'graphql-never-imports-a-database-client',
    from: 'domains/rooms/rooms.graphql.ts',
    to: 'db/generated/client.ts',
    typeOnly: true,
  },
  { rule: 'graphql-never-imports-a-database-client', from: 'domains/rooms/rooms.graphql.ts', to: 'db/sql.ts' },
  { rule: 'graphql-does-no-io', from: 'domains/rooms/rooms.graphql.ts', to: 'node:fs' },
  { rule: 'graphql-is-below-transport', from: 'graphql/context.ts', to: 'transport/http.ts' },
  { rule: 'graphql-is-below-transport', from: 'domains/rooms/rooms.graphql.ts', to: 'worker/jobs.ts' },
  { rule: 'graphql-files-are-below-the-schema', from: 'domains/rooms/rooms.graphql.ts', to: 'graphql/schema.ts' },
  { rule: 'graphql-files-are-below-the-schema', from: 'graphql/context.ts', to: 'graphql/schema.ts' },
  { rule: 'only-the-schema-lists-the-domains', from: 'graphql/context.ts', to: 'domains/rooms/rooms.graphql.ts' },
  { rule: 'only-the-schema-lists-the-domains', from: 'transport/http.ts', to: 'domains/rooms/rooms.graphql.ts' },

  { rule: 'transport-and-worker-are-imported-by-the-server-only', from: 'events/bus.ts', to: 'transport/http.ts' },
  { rule: 'transport-and-worker-stay-apart', from: 'transport/http.ts', to: 'worker/jobs.ts' },
  { rule: 'transport-and-worker-stay-apart', from: 'worker/jobs.ts', to: 'transport/http.ts', typeOnly: true },
  { rule: 'web-imports-generated-operations-only', from: 'web/rooms.ts', to: 'kernel/ids.ts', typeOnly: true },
  { rule: 'web-is-imported-by-no-server-code', from: 'transport/static.ts', to: 'web/index.ts' },
  { rule: 'source-never-imports-tests', from: 'transport/http.ts', to: '../test/services/client.ts' },
];

/** One of each import that the law allows. */
const allowed: readonly Omit<Violation, 'rule'>[] = [
  { from: 'main.ts', to: 'config.ts' },
  { from: 'main.ts', to: 'server.ts' },
  { from: 'main.ts', to: 'demo/demo.ts' },
  { from: 'main.ts', to: 'transport/http.ts' },
  { from: 'demo/demo.ts', to: 'server.ts', typeOnly: true },
  { from: 'import/cli/import.ts', to: 'server.ts' },
  { from: 'import/cli/import.ts', to: 'import/slack.ts' },
  { from: 'import/slack.store.ts', to: 'db/sql.ts' },
  { from: 'demo/demo.ts', to: 'domains/rooms/rooms.service.ts' },
  { from: 'server.ts', to: 'transport/http.ts' },
  { from: 'server.ts', to: 'worker/jobs.ts' },
  { from: 'main.ts', to: 'db/database.ts' },
  { from: 'db/cli/migrate.ts', to: 'config.ts' },
  { from: 'graphql/cli/printSchema.ts', to: 'graphql/schema.ts' },
  { from: 'transport/http.ts', to: 'graphql/schema.ts' },
  { from: 'transport/http.ts', to: 'domains/identity/identity.service.ts' },
  { from: 'transport/http.ts', to: 'config.ts', typeOnly: true },
  { from: 'transport/http.ts', to: 'node:http' },
  { from: 'worker/jobs.ts', to: 'domains/governance/governance.jobs.ts' },
  { from: 'domains/governance/governance.jobs.ts', to: 'domains/governance/governance.service.ts' },
  { from: 'graphql/schema.ts', to: 'domains/rooms/rooms.graphql.ts' },
  { from: 'graphql/builder.ts', to: 'db/generated/pothos.ts' },
  { from: 'graphql/context.ts', to: 'domains/caller.ts', typeOnly: true },
  { from: 'domains/rooms/rooms.graphql.ts', to: 'graphql/builder.ts' },
  { from: 'domains/rooms/rooms.graphql.ts', to: 'domains/rooms/rooms.service.ts' },
  { from: 'domains/rooms/rooms.graphql.ts', to: 'domains/identity/identity.graphql.ts' },
  { from: 'domains/rooms/rooms.graphql.ts', to: 'db/cursors.ts' },
  { from: 'domains/rooms/rooms.graphql.ts', to: 'db/generated/enums.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'domains/rooms/rooms.rules.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'domains/rooms/rooms.store.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'domains/rooms/rooms.members.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'domains/identity/identity.service.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'domains/caller.ts', typeOnly: true },
  { from: 'domains/messages/messages.service.ts', to: 'domains/rooms/rooms.access.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'policy/can.ts' },
  { from: 'domains/rooms/rooms.service.ts', to: 'events/roomLog.ts' },
  { from: 'domains/rooms/rooms.rules.ts', to: 'policy/can.ts' },
  { from: 'domains/rooms/rooms.rules.ts', to: 'kernel/errors.ts' },
  { from: 'domains/rooms/rooms.rules.ts', to: 'domains/rooms/rooms.store.ts', typeOnly: true },
  { from: 'domains/rooms/rooms.rules.ts', to: 'domains/rooms/rooms.types.ts', typeOnly: true },
  { from: 'domains/rooms/rooms.store.ts', to: 'db/sql.ts' },
  { from: 'domains/rooms/rooms.store.ts', to: 'domains/rooms/rooms.types.ts', typeOnly: true },
  { from: 'domains/rooms/rooms.store.ts', to: 'kernel/ids.ts' },
  { from: 'domains/caller.ts', to: 'db/database.ts', typeOnly: true },
  { from: 'domains/caller.ts', to: 'events/bus.ts', typeOnly: true },
  { from: 'events/roomLog.ts', to: 'db/sql.ts' },
  { from: 'events/bus.ts', to: 'ioredis' },
  { from: 'events/bus.ts', to: 'kernel/logger.ts' },
  { from: 'policy/can.ts', to: 'kernel/actor.ts' },
  { from: 'db/database.ts', to: 'db/generated/client.ts' },
  { from: 'db/database.ts', to: 'kernel/errors.ts' },
  { from: 'kernel/ids.ts', to: 'node:crypto' },
  { from: 'kernel/ids.ts', to: 'kernel/errors.ts' },
  { from: 'web/index.ts', to: 'web/generated/graphql.ts' },
];

describe('the law of imports', () => {
  test('lets every import pass that goes down', async () => {
    expect(await broken(plant(allowed))).toEqual([]);
  });

  test.each(violations)('$rule: $from may not import $to', async (violation) => {
    expect(await broken(plant([violation]))).toContain(violation.rule);
  });

  test('no-cycles: two modules may not import each other, not even for types', async () => {
    const house = plant([
      { from: 'kernel/ids.ts', to: 'kernel/errors.ts' },
      { from: 'kernel/errors.ts', to: 'kernel/ids.ts', typeOnly: true },
    ]);
    expect(await broken(house)).toEqual(['no-cycles']);
  });

  test('no-orphans: a module that nothing imports and that imports nothing is dead', async () => {
    expect(await broken(plantFiles({ 'src/kernel/clock.ts': 'export const now = Date.now;' }))).toEqual(['no-orphans']);
  });

  test('only-what-exists: an import must resolve', async () => {
    const files = { 'src/kernel/ids.ts': "import { gone } from './gone.ts';\nexport const id = gone;" };
    expect(await broken(plantFiles(files))).toEqual(['only-what-exists']);
  });

  test.each([
    ['a re-export', "export { thing } from '../policy/can.ts';"],
    ['a dynamic import', "export const later = () => import('../policy/can.ts');"],
    ['an import inside a type', "export type Borrowed = import('../policy/can.ts').Thing;"],
    [
      'an import among newer syntax',
      "import { thing } from '../policy/can.ts';\nexport async function f(x: unknown) {\n  await using y = x as AsyncDisposable;\n  return [y, thing] satisfies unknown[];\n}",
    ],
  ])('sees %s', async (_, source) => {
    const house = plantFiles({ 'src/kernel/ids.ts': source, 'src/policy/can.ts': skeleton });
    expect(await broken(house)).toEqual(['kernel-imports-nothing-of-ours']);
  });

  test('has a planted violation for every rule', () => {
    const planted = new Set(violations.map(({ rule }) => rule).concat('no-cycles', 'no-orphans', 'only-what-exists'));
    const rules = (config.forbidden ?? []).map(({ name }) => name);
    expect(rules.filter((rule) => !planted.has(String(rule)))).toEqual([]);
  });

  test('fails the command that npm run check calls', () => {
    const command = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
    const run = (house: string) =>
      spawnSync(process.execPath, [command, '--config', configFile, 'src'], { cwd: house, encoding: 'utf8' });
    expect(run(plant(allowed)).status).toBe(0);
    const failed = run(plant([{ from: 'kernel/ids.ts', to: 'policy/can.ts' }]));
    expect(failed.status).not.toBe(0);
    expect(failed.stdout).toContain('kernel-imports-nothing-of-ours');
  });
});

const skeleton = 'export type Thing = string;\nexport const thing = 1;\n';

/** Every domain with the one directly above it. */
function neighbours(): [string, string][] {
  const order = [
    'identity',
    'rooms',
    'attachments',
    'messages',
    'reading',
    'presence',
    'governance',
    'inbox',
    'notifications',
  ];
  return order.slice(1).map((higher, index) => [String(order[index]), higher]);
}

/** A house of just these imports: a folder with the importing modules and whatever they import. */
function plant(imports: readonly Omit<Violation, 'rule'>[]): string {
  const files: Record<string, string> = {};
  for (const { from, to, typeOnly } of imports) {
    const importer = `src/${from}`;
    const target = to.endsWith('.ts') ? path.join('src', to) : null;
    const relative = target === null ? to : path.relative(path.dirname(importer), target);
    const specifier = target === null || relative.startsWith('.') ? relative : `./${relative}`;
    const names = typeOnly ? 'import type { Thing }' : 'import { thing }';
    if (target !== null) files[target] ??= skeleton;
    files[importer] = `${names} from '${specifier}';\n${files[importer] ?? skeleton}`;
  }
  return plantFiles(files);
}

function plantFiles(files: Readonly<Record<string, string>>): string {
  const house = mkdtempSync(path.join(scratch, 'house-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(house, 'node_modules'));
  for (const [name, source] of Object.entries(files)) {
    const file = path.join(house, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, source);
  }
  return house;
}

/** The names of the rules broken in a house, sorted. */
async function broken(house: string): Promise<string[]> {
  const { forbidden = [], options = {} } = config;
  const { output } = await cruise(
    ['src'],
    { ...options, baseDir: house, validate: true, ruleSet: { forbidden } },
    options.enhancedResolveOptions,
  );
  if (typeof output === 'string') throw new Error(output);
  return [...new Set(output.summary.violations.map(({ rule }) => rule.name))].sort();
}
