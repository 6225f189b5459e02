import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(path.join(tmpdir(), 'lint-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Allowed in what Prisma generates, and nowhere else. */
const generated = 'export default {} as any\n';

test.each([
  ['format', 'src/kernel/a.ts', 'export const a = "double quotes"\n'],
  ['lint/suspicious/noExplicitAny', 'src/kernel/a.ts', generated],
  ['lint/style/noDefaultExport', 'src/kernel/a.ts', 'export default 1;\n'],
  ['lint/style/noNonNullAssertion', 'src/kernel/a.ts', 'export const a = (x?: string): string => x!;\n'],
  ['lint/style/noProcessEnv', 'src/kernel/a.ts', 'export const a = process.env.HOME;\n'],
  ['lint/style/useImportType', 'src/kernel/a.ts', "import { B } from './b.ts';\n\nexport const a = (b: B): B => b;\n"],
  ['lint/correctness/noUnusedVariables', 'src/kernel/a.ts', 'const a = 1;\n'],
  ['lint/correctness/noUnusedImports', 'src/kernel/a.ts', "import { b } from './b.ts';\n"],
  ['lint/correctness/useImportExtensions', 'src/kernel/a.ts', "import { b } from './b';\n\nexport const a = b;\n"],
  ['lint/performance/noBarrelFile', 'src/kernel/index.ts', "export { b } from './b.ts';\n"],
  ['lint/performance/noReExportAll', 'src/kernel/index.ts', "export * from './b.ts';\n"],
  ['lint/nursery/noFloatingPromises', 'src/kernel/a.ts', 'async function a(): Promise<void> {}\na();\n'],
  [
    'lint/nursery/noFloatingPromises',
    'src/kernel/a.ts',
    "import { later } from './b.ts';\n\nexport function a(): void {\n  later();\n}\n",
  ],
  ['lint/suspicious/noFocusedTests', 'test/a.test.ts', "import { test } from 'vitest';\n\ntest.only('a', () => {});\n"],
  ['lint/suspicious/noSkippedTests', 'test/a.test.ts', "import { test } from 'vitest';\n\ntest.skip('a', () => {});\n"],
])('%s bites in %s', (rule, file, source) => {
  const { status, output } = lint({ [file]: source });
  expect(output).toContain(rule);
  expect(status).toBe(1);
});

test('what the house does passes', () => {
  const { status, output } = lint({
    'src/config.ts': 'export const home = process.env.HOME;\n',
    'src/db/generated/client.ts': generated,
    '.config/tool.ts': 'export default { home: process.env.HOME };\n',
    'src/kernel/a.ts': "import type { B } from './b.ts';\n\nexport const a = (b: B): B => b;\n",
  });
  expect(output).not.toContain('lint/');
  expect(status).toBe(0);
});

/** Lints a folder of these files with the house's settings. */
function lint(files: Readonly<Record<string, string>>): { readonly status: number | null; readonly output: string } {
  const folder = mkdtempSync(path.join(scratch, 'house-'));
  const all = {
    'package.json': '{\n  "type": "module"\n}\n',
    'src/kernel/b.ts':
      'export type B = string;\nexport const b = 1;\nexport async function later(): Promise<void> {}\n',
    ...files,
  };
  for (const [name, source] of Object.entries(all)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), source);
  }
  // Biome finds other modules only in the project that its settings are in.
  cpSync(path.join(root, '.config/biome.json'), path.join(folder, '.config/biome.json'));
  const biome = path.join(root, 'node_modules/@biomejs/biome/bin/biome');
  const options = ['--colors=off', '--error-on-warnings', '--config-path=.config'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, 'ci', ...options, '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}
