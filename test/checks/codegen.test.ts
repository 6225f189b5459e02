import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'codegen-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the check of the generated operations fails when they are stale, and when an operation does not fit the schema', () => {
  const operation = path.join(folder, 'src/web/operations/topic.graphql');
  mkdirSync(path.dirname(operation), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  cpSync(path.join(root, 'codegen.ts'), path.join(folder, 'codegen.ts'));
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(path.join(folder, 'schema.graphql'), 'type Query { topic: String, count: Int }');
  writeFileSync(operation, 'query Topic { topic }\n');

  expect(generate('--check')).not.toBe(0);
  expect(generate()).toBe(0);
  expect(generate('--check')).toBe(0);
  appendFileSync(operation, 'query Count { count }\n');
  expect(generate('--check')).not.toBe(0);
  expect(generate()).toBe(0);
  appendFileSync(operation, 'query Gone { gone }\n');
  expect(generate('--check')).not.toBe(0);
});

function generate(...args: string[]): number | null {
  const command = path.join(root, 'node_modules/.bin/graphql-codegen');
  return spawnSync(process.execPath, [command, '--config', 'codegen.ts', ...args], { cwd: folder }).status;
}
