import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'dead-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the check for dead code names the file, the export and the package that nothing uses', () => {
  mkdirSync(path.join(folder, 'src/kernel'), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  cpSync(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  writeFileSync(path.join(folder, 'src/main.ts'), "import { used } from './kernel/ids.ts';\n\nused();\n");
  writeFileSync(path.join(folder, 'src/kernel/ids.ts'), 'export const used = Date.now;\nexport const leftOver = 1;\n');
  writeFileSync(path.join(folder, 'src/kernel/forgotten.ts'), 'export const forgotten = 1;\n');

  const knip = path.join(root, 'node_modules/knip/bin/knip.js');
  const { status, stdout } = spawnSync(process.execPath, [knip], { cwd: folder, encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stdout).toMatch(/Unused files.*src\/kernel\/forgotten\.ts/s);
  expect(stdout).toMatch(/Unused exports.*leftOver/s);
  expect(stdout).toMatch(/Unused dependencies.*graphql-yoga/s);
  expect(stdout).not.toMatch(/^used\b/m);
});
