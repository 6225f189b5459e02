import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(path.join(tmpdir(), 'schema-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const first = 'type Query {\n  room(id: ID!): String\n  topic: String\n  count: Int!\n}\n';
const grown = first.replace('  topic', '  purpose: String\n  topic');
const broken = first.replace('  topic: String\n', '');

describe('the check for breaking changes', () => {
  test('passes while there is no earlier version', () => {
    const repository = startRepository();
    commit(repository, first);
    expect(check(repository)).toMatchObject({ status: 0, stdout: expect.stringContaining('no earlier version') });
  });

  test('lets fields be added, and names the field that was removed', () => {
    const repository = startRepository();
    commit(repository, first);
    write(repository, grown);
    expect(check(repository).status).toBe(0);
    write(repository, broken);
    expect(check(repository)).toMatchObject({ status: 1, stderr: expect.stringContaining('`Query.topic`') });
  });

  test.each([
    ['a type that is no longer promised', first.replace('Int!', 'Int')],
    ['an argument that is now required', first.replace('id: ID!', 'id: ID!, tenant: ID!')],
  ])('refuses %s', (_, schema) => {
    const repository = startRepository();
    commit(repository, first);
    write(repository, schema);
    expect(check(repository).status).toBe(1);
  });

  test('checks what has just landed, in a clean clone of main', () => {
    const repository = startRepository();
    commit(repository, first);
    commit(repository, broken);
    commitAll(repository, 'something else');
    const clone = mkdtempSync(path.join(scratch, 'clone-'));
    git(clone, 'clone', '--quiet', repository, '.');
    expect(check(clone)).toMatchObject({ status: 1, stderr: expect.stringContaining('`Query.topic`') });
  });

  test('checks a branch against the version of main that it started from', () => {
    const repository = startRepository();
    commit(repository, first);
    git(repository, 'switch', '--quiet', '-c', 'branch');
    git(repository, 'switch', '--quiet', 'main');
    commit(repository, grown);
    git(repository, 'switch', '--quiet', 'branch');
    write(repository, first.replace('  count', '  subject: String\n  count'));
    expect(check(repository).status).toBe(0);
    commit(repository, broken);
    expect(check(repository).status).toBe(1);
  });

  test('lets go what was deprecated before, and what clients were told of', () => {
    const repository = startRepository();
    commit(repository, first.replace('topic: String', 'topic: String @deprecated(reason: "Use `purpose`.")'));
    write(repository, broken);
    expect(check(repository).status).toBe(0);
    write(repository, broken.replace('  count: Int!\n', ''));
    expect(check(repository).status).toBe(1);
    mkdirSync(path.join(repository, 'docs'));
    writeFileSync(path.join(repository, 'docs/breaking-changes.md'), '- `Query.count`: nobody could use it.\n');
    expect(check(repository).status).toBe(0);
  });

  test('takes another base from SCHEMA_BASE_REF', () => {
    const repository = startRepository();
    commit(repository, first);
    commit(repository, broken);
    commit(repository, broken.replace('  count', '  subject: String\n  count'));
    expect(check(repository).status).toBe(0);
    expect(check(repository, { SCHEMA_BASE_REF: 'HEAD~2' }).status).toBe(1);
    expect(check(repository, { SCHEMA_BASE_REF: 'nowhere' }).stderr).toContain('SCHEMA_BASE_REF: nowhere');
  });
});

const sound = `"""
Where a client starts.
"""
type Query {
  """
  The rooms of the viewer.
  """
  rooms(
    """
    How many, from the start.
    """
    first: Int

    """
    The cursor to start after.
    """
    after: String

    """
    How many, from the end.
    """
    last: Int

    """
    The cursor to end before.
    """
    before: String
  ): RoomConnection!
}

"""
A page of rooms.
"""
type RoomConnection {
  """
  The rooms with their cursors.
  """
  edges: [RoomEdge!]!

  """
  The rooms.
  """
  nodes: [Room!]!

  """
  Whether there are more.
  """
  pageInfo: PageInfo!
}

"""
A room and its place in the page.
"""
type RoomEdge {
  """
  The place.
  """
  cursor: String!

  """
  The room.
  """
  node: Room!
}

"""
Whether there are more pages, and where they begin.
"""
type PageInfo {
  """
  Whether there is a page after this one.
  """
  hasNextPage: Boolean!

  """
  Whether there is a page before this one.
  """
  hasPreviousPage: Boolean!

  """
  The cursor of the first edge.
  """
  startCursor: String

  """
  The cursor of the last edge.
  """
  endCursor: String
}

"""
What can be fetched again by its id.
"""
interface Node {
  """
  The id.
  """
  id: ID!
}

"""
An ordered timeline with members.
"""
type Room implements Node {
  """
  The id of the room.
  """
  id: ID!
}
`;

describe('the lint of the schema', () => {
  test('passes a sound schema', () => {
    expect(lint(sound)).toMatchObject({ status: 0 });
  });

  test.each([
    ['relay-edge-types', sound.replaceAll('RoomEdge', 'RoomLink')],
    ['require-description', sound.replace('"""\n  The id of the room.\n  """', '')],
    ['require-description', sound.replace('"""\n    How many, from the start.\n    """', '')],
    ['naming-convention', sound.replace(/\}\n$/, '\n  """\n  The name.\n  """\n  room_name: String\n}\n')],
    ['strict-id-in-types', sound.replace(/ implements Node/, '').replace(/id: ID!\n}\n$/, 'key: ID!\n}\n')],
    ['no-unreachable-types', `${sound}\n"""\nA leftover.\n"""\nscalar Leftover\n`],
    ['relay-arguments', sound.replace('first: Int', 'limit: Int')],
    ['relay-connection-types', sound.replace('edges: [RoomEdge!]!', 'edges: RoomEdge!')],
    ['relay-page-info', sound.replace('hasNextPage: Boolean!', 'hasNextPage: Boolean')],
  ])('%s bites', (rule, schema) => {
    const { status, stdout } = lint(schema);
    expect(stdout).toContain(`@graphql-eslint/${rule}`);
    expect(status).toBe(1);
  });
});

function lint(schema: string) {
  const folder = mkdtempSync(path.join(scratch, 'lint-'));
  mkdirSync(path.join(folder, '.config'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  write(folder, schema);
  const eslint = path.join(root, 'node_modules/eslint/bin/eslint.js');
  return run(folder, [eslint, '--config', path.join(root, '.config/eslint.mjs'), 'schema.graphql']);
}

function check(repository: string, env: Readonly<Record<string, string>> = { SCHEMA_BASE_REF: '' }) {
  return run(repository, [path.join(root, 'src/graphql/cli/checkBreaking.ts')], env);
}

function run(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
}

function startRepository(): string {
  const repository = mkdtempSync(path.join(scratch, 'repository-'));
  git(repository, 'init', '--quiet', '--initial-branch=main');
  return repository;
}

function write(repository: string, schema: string): void {
  writeFileSync(path.join(repository, 'schema.graphql'), schema);
}

function commit(repository: string, schema: string): void {
  write(repository, schema);
  commitAll(repository, 'schema');
}

function commitAll(repository: string, message: string): void {
  git(repository, 'add', '--all');
  git(
    repository,
    '-c',
    'user.name=A',
    '-c',
    'user.email=a@example.org',
    'commit',
    '--quiet',
    '--allow-empty',
    '-m',
    message,
  );
}

function git(cwd: string, ...args: string[]): void {
  execFileSync('git', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
