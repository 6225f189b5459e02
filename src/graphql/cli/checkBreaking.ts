import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type Change, CriticalityLevel, DiffRule, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

// Fails where schema.graphql of the working tree would break a client that was written against the main branch.
//
// The base is the newest version of the file that differs from the working tree, searched from where this branch left
// main (origin/main, else main) backwards:
// - on a branch, or with changes not yet pushed: the version on main that the work started from;
// - in a clean clone of main, as in CI: the version before the last change of the file, so that the change that has
//   just landed is checked, and not a file against itself.
// SCHEMA_BASE_REF names another base, as when several changes land at once or when CI knows the commit before a push.
//
// What was deprecated in the base may go. Any other break has to be listed in docs/breaking-changes.md, which clients
// read, as a list item that begins with its path: "- `Room.topic`: …the reason, and what to use instead".
const file = 'schema.graphql';
const acceptedFile = 'docs/breaking-changes.md';

const working = readFileSync(file, 'utf8');
const base = findBase();
if (base === null) {
  console.log(`${file} has no earlier version to break`);
} else {
  const changes = await diff(buildSchema(base.text), buildSchema(working), [DiffRule.suppressRemovalOfDeprecatedField]);
  const accepted = acceptedPaths();
  const breaking = changes.filter(
    ({ criticality, path }) => criticality.level === CriticalityLevel.Breaking && !accepted.has(path ?? ''),
  );
  for (const change of breaking) console.error(describe(change));
  if (breaking.length > 0) {
    console.error(`${breaking.length} breaking since ${base.commit}: deprecate first, or list them in ${acceptedFile}`);
    process.exitCode = 1;
  } else {
    console.log(`${changes.length} changes since ${base.commit}, none breaking`);
  }
}

function findBase(): { readonly commit: string; readonly text: string } | null {
  // biome-ignore lint/style/noProcessEnv: a setting of this check, not of the server
  const named = process.env.SCHEMA_BASE_REF;
  if (named) {
    const text = git('show', `${named}:${file}`);
    if (text === null) throw new Error(`SCHEMA_BASE_REF: ${named} has no ${file}`);
    return { commit: named, text };
  }
  const main = ['origin/main', 'main'].find((ref) => git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`));
  const start = main && git('merge-base', main, 'HEAD')?.trim();
  const commits = git('log', '--format=%h', start || 'HEAD', '--', file);
  for (const commit of commits?.split('\n').filter(Boolean) ?? []) {
    const text = git('show', `${commit}:${file}`);
    // Null: the commit removed the file.
    if (text !== null && text !== working) return { commit, text };
  }
  return null;
}

function acceptedPaths(): ReadonlySet<string> {
  if (!existsSync(acceptedFile)) return new Set();
  return new Set(Array.from(readFileSync(acceptedFile, 'utf8').matchAll(/^- `([^`]+)`/gm), ([, path]) => path ?? ''));
}

function describe({ message, path }: Change): string {
  return `breaking: ${message}${path ? ` (\`${path}\`)` : ''}`;
}

/** What git prints, or null where it fails. */
function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}
