import path from 'node:path';
import { parseArgs } from 'node:util';
import { authorMigration } from '../authorMigration.ts';

const { values, positionals } = parseArgs({ options: { draft: { type: 'boolean' } }, allowPositionals: true });
const [name, ...rest] = positionals;
if (!name || rest.length > 0) {
  console.error(
    'usage: npm run db:migration -- NAME [--draft]   (--draft: also where the schema is unchanged, for SQL by hand)',
  );
  process.exit(1);
}
try {
  const file = await authorMigration(name, { draft: values.draft ?? false });
  console.log(file === null ? 'no change' : `wrote ${path.relative(process.cwd(), file)}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
