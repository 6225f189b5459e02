import DataLoader from 'dataloader';
import type { PageArgs } from '../db/pages.ts';
import type { Caller } from '../domains/caller.ts';
import { type Context, callerOf } from './context.ts';

/** Loads values by key for one request: what is asked for in the same tick is fetched in one call, and once. */
export type Loader<Key, Value> = (context: Context) => DataLoader<Key, Value, unknown>;

type Batch<Key, Value> = (caller: Caller, keys: readonly Key[]) => Promise<readonly Value[]>;

/** @param cacheKey for keys that are objects: what makes two of them the same. */
export function defineLoader<Key, Value>(
  batch: Batch<Key, Value>,
  cacheKey?: (key: Key) => unknown,
): Loader<Key, Value> {
  const name = nextName();
  return (context) => loaderOf(context, name, batch, cacheKey);
}

/** As `defineLoader`, for lists with page arguments: parents that ask with the same arguments share a call. */
export function definePageLoader<Key, Value>(
  batch: (caller: Caller, keys: readonly Key[], args: PageArgs) => Promise<readonly Value[]>,
): (context: Context, args: PageArgs) => DataLoader<Key, Value, unknown> {
  const name = nextName();
  return (context, args) => {
    return loaderOf<Key, Value>(context, `${name}:${keyOf(args)}`, (caller, keys) => batch(caller, keys, args));
  };
}

/** Another one for other arguments: `after`, which may be any text, tells its length. */
function keyOf({ first, last, after, before }: PageArgs): string {
  const from = after == null ? '' : `${after.length}:${after}`;
  return `${first ?? ''},${last ?? ''},${from},${before == null ? '' : `:${before}`}`;
}

let named = 0;
const nextName = (): string => String(named++);

function loaderOf<Key, Value>(
  context: Context,
  name: string,
  batch: Batch<Key, Value>,
  cacheKey: (key: Key) => unknown = (key) => key,
): DataLoader<Key, Value, unknown> {
  let loader = context.loaders.get(name);
  if (!loader) {
    const caller = callerOf(context);
    loader = new DataLoader<unknown, unknown>((keys) => batch(caller, keys as readonly Key[]), {
      cacheKeyFn: (key) => cacheKey(key as Key),
      maxBatchSize: 1_000,
    });
    context.loaders.set(name, loader);
  }
  return loader as DataLoader<Key, Value, unknown>;
}

/** Starts afresh: what an event shows must not come from before it. */
export function resetLoaders(context: Context): void {
  context.loaders.clear();
}
