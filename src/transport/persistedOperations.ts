import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations';
import { GraphQLError, Kind, parse } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { z } from 'zod';
import type { Context } from '../graphql/context.ts';

/** The operations of our own front ends, as the code generator lists them. */
const ownManifest = fileURLToPath(new URL('../web/generated/persisted-documents.json', import.meta.url));

/** The code generator puts the name of the algorithm before the hash; clients send the hash alone. */
const algorithm = 'sha256:';
const manifest = z.record(z.string().regex(/^(sha256:)?[0-9a-f]{64}$/), z.string());

/** Operations that clients may name by the SHA-256 of their text instead of sending it. */
export interface PersistedOperations {
  /** Null for a hash that nobody has registered. */
  find(hash: string): string | null;
  /** The names of the operations: few, and known beforehand. */
  readonly names: ReadonlySet<string>;
}

/** A manifest that cannot be used; the message is one line that names the file. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/**
 * Reads the manifests: ours, and those of other front ends.
 * @throws ManifestError for one that is no manifest, or whose hashes are not those of its texts.
 */
export function readPersistedOperations(files: readonly string[]): PersistedOperations {
  const operations = new Map<string, string>();
  const names = new Set<string>();
  for (const file of [ownManifest, ...files]) {
    const refuse = (reason: string) => new ManifestError(`PERSISTED_OPERATIONS: ${file}: ${reason}`);
    for (const [key, text] of Object.entries(readManifest(file, refuse))) {
      const hash = withoutAlgorithm(key);
      if (createHash('sha256').update(text).digest('hex') !== hash) throw refuse(`${hash} is not the hash of its text`);
      operations.set(hash, text);
      for (const name of namesIn(text, refuse)) names.add(name);
    }
  }
  return { find: (hash) => operations.get(withoutAlgorithm(hash)) ?? null, names };
}

function withoutAlgorithm(hash: string): string {
  return hash.startsWith(algorithm) ? hash.slice(algorithm.length) : hash;
}

type Refuse = (reason: string) => ManifestError;

function readManifest(file: string, refuse: Refuse): Readonly<Record<string, string>> {
  try {
    return manifest.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw refuse(error instanceof z.ZodError ? 'it is not an object of texts by their SHA-256' : String(error));
  }
}

function namesIn(text: string, refuse: Refuse): string[] {
  try {
    return parse(text).definitions.flatMap((node) =>
      node.kind === Kind.OPERATION_DEFINITION && node.name ? [node.name.value] : [],
    );
  } catch (error) {
    throw refuse(String(error));
  }
}

const notFound = {
  // As Apollo's clients expect it.
  message: 'PersistedQueryNotFound',
  extensions: { code: 'PERSISTED_QUERY_NOT_FOUND', http: { spec: true, status: 400 } },
};
const onlyPersisted = {
  message: 'only registered operations are answered here: send extensions.persistedQuery instead of a query',
  extensions: { code: 'PERSISTED_QUERY_ONLY', http: { spec: true, status: 400 } },
};
const nothingAsked = {
  message: 'there is neither a query nor extensions.persistedQuery',
  extensions: { code: 'BAD_REQUEST', http: { spec: true, status: 400 } },
};

/** Persisted operations over HTTP. */
export function useRegistered(operations: PersistedOperations, only: boolean): Plugin<Context> {
  return usePersistedOperations({
    allowArbitraryOperations: !only,
    getPersistedOperation: operations.find,
    customErrors: { notFound, persistedQueryOnly: onlyPersisted, keyNotFound: nothingAsked },
  });
}

/** What a client asks for, as far as it is about which operation. */
export interface OperationParams {
  readonly query?: string | null | undefined;
  readonly extensions?: Record<string, unknown> | null | undefined;
}

/**
 * The text that a client sends, or that of which it sends the hash; null where it may not be asked for, or is not known.
 * @see queryOf, which says why.
 */
export function textOf(params: OperationParams, operations: PersistedOperations, only: boolean): string | null {
  if (params.query) return only ? null : params.query;
  const hash = hashOf(params.extensions);
  return hash === null ? null : operations.find(hash);
}

/** By hand: every request of a client that registers its operations comes by. */
function hashOf(given: OperationParams['extensions']): string | null {
  const named = given?.persistedQuery;
  if (typeof named !== 'object' || named === null || !('version' in named) || named.version !== 1) return null;
  return 'sha256Hash' in named && typeof named.sha256Hash === 'string' ? named.sha256Hash : null;
}

/**
 * The same for an operation on a WebSocket, whose query is empty where it is named by its hash.
 * @throws GraphQLError
 */
export function queryOf(params: OperationParams, operations: PersistedOperations, only: boolean): string {
  const text = textOf(params, operations, only);
  if (text !== null) return text;
  const refusal = params.query ? onlyPersisted : hashOf(params.extensions) === null ? nothingAsked : notFound;
  throw new GraphQLError(refusal.message, { extensions: refusal.extensions });
}
