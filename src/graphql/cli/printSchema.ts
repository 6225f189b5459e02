import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printSchema } from '../schema.ts';

// `npm run schema` writes schema.graphql, the contract that clients and the other checks read; with --check it only
// compares, so that a change of the API is always seen in the diff of the commit that makes it.
const file = 'schema.graphql';
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const printed = `${printSchema().trimEnd()}\n`;

if (!values.check) {
  writeFileSync(file, printed);
} else if (committed() !== printed) {
  console.error(`${file} is not what the code defines: run \`npm run schema\``);
  process.exitCode = 1;
}

function committed(): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
