import {
  GraphQLBoolean,
  GraphQLID,
  type GraphQLLeafType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  GraphQLString,
} from 'graphql';

// What becomes of the values that fields give: as graphql-js completes them where there is no error (see compile.ts).

export type Variables = Record<string, unknown>;
export type Path = GraphQLResolveInfo['path'];
export type Data = Record<string, unknown>;

/** One execution. */
export interface Run {
  readonly rootValue: unknown;
  readonly context: unknown;
  readonly variables: Variables;
}

/** Makes of what a field or an item of a list gave what stands in the data, or a promise of it. */
export type Complete<Completed = unknown> = (value: unknown, run: Run, path: Path | undefined) => Completed;

/** What `complete` makes of a value that may have to be waited for. */
export function completed(complete: Complete, value: unknown, run: Run, path: Path | undefined): unknown {
  if (!isPromise(value)) return complete(value, run, path);
  return Promise.resolve(value).then((settled) => complete(settled, run, path));
}

/** The same object: its keys stand in the order of the fields already. Rejects with the first of its promises that does. */
export function settled(data: Data): Promise<Data> {
  const { promise, resolve, reject } = Promise.withResolvers<Data>();
  let pending = 0;
  for (const key in data) {
    const value = data[key];
    if (!(value instanceof Promise)) continue;
    pending++;
    value.then((result) => {
      data[key] = result;
      if (--pending === 0) resolve(data);
    }, reject);
  }
  return promise;
}

/** Something has failed: nobody waits for what stands beside it. */
export function abandoned(values: readonly unknown[], error: unknown): Promise<never> {
  for (const value of values) if (value instanceof Promise) value.catch(() => undefined);
  return Promise.reject(error);
}

export function required(complete: Complete): Complete {
  return (value, run, path) => {
    if (value == null) throw new Error('there is a null where none may be');
    if (value instanceof Error) throw value;
    return complete(value, run, path);
  };
}

export function optional(complete: Complete): Complete {
  return (value, run, path) => {
    if (value == null) return null;
    if (value instanceof Error) throw value;
    return complete(value, run, path);
  };
}

export function leafOf(type: GraphQLLeafType): Complete {
  return (value) => {
    const serialized: unknown = type.serialize(value);
    if (serialized == null) throw new Error(`it cannot be written as ${type.name}`);
    return serialized;
  };
}

/** Values of this type are written as they are. */
export function writtenAsIs(type: GraphQLOutputType): 'string' | 'boolean' | null {
  if (type === GraphQLString || type === GraphQLID) return 'string';
  return type === GraphQLBoolean ? 'boolean' : null;
}

/** The extension of a field whose resolver looks at nothing but the object, and of an interface or union whose `resolveType` does. */
export const ofSource = { ofSource: true } as const;

/** Objects whose data one place of one operation keeps, at a hundred bytes each; then it begins anew. */
const madeAtMost = 500;

/**
 * For an object type of which nothing is asked but what its values say themselves: of a frozen one, which a process keeps
 * and shows again and again, as it does with authors, the data is made once.
 */
export function onceIfFrozen<Completed>(complete: Complete<Completed>): Complete<Completed> {
  let made = new WeakMap<object, Completed>();
  let count = 0;
  return (source, run, path) => {
    if (typeof source !== 'object' || source === null) return complete(source, run, path);
    const known = made.get(source);
    if (known) return known;
    const data = complete(source, run, path);
    if (!Object.isFrozen(source) || data instanceof Promise) return data;
    if (++count > madeAtMost) {
      made = new WeakMap();
      count = 1;
    }
    made.set(source, data);
    return data;
  };
}

/** @param wantsPath whether `complete` looks at where it is. */
export function listOf(complete: Complete, wantsPath: boolean): Complete {
  return (values, run, path) => {
    if (!isIterable(values)) throw new Error('it is no list');
    const data: unknown[] = [];
    let pending = false;
    try {
      for (const item of values) {
        const at = wantsPath ? { prev: path, key: data.length, typename: undefined } : undefined;
        const value = completed(complete, item, run, at);
        pending ||= value instanceof Promise;
        data.push(value);
      }
    } catch (error) {
      return abandoned(data, error);
    }
    return pending ? Promise.all(data) : data;
  };
}

/** As graphql-js tells one. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const { then }: { readonly then?: unknown } = value;
  return typeof then === 'function';
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
