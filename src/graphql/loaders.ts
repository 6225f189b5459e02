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
  cacheKey: (key: Key) => unknown = (key) => key,
): Loader<Key, Value> {
  const name = Symbol();
  return (context) => {
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
  };
}

/** As `defineLoader`, for lists with page arguments: parents that ask with the same arguments share a call. */
export function definePageLoader<Key, Value>(
  batch: (caller: Caller, keys: readonly Key[], args: PageArgs) => Promise<readonly Value[]>,
): (context: Context, args: PageArgs) => DataLoader<Key, Value, unknown> {
  const loadersByArgs = new WeakMap<Context['loaders'], Map<string, Loader<Key, Value>>>();
  return (context, args) => {
    const { first, last, after, before } = args;
    const key = JSON.stringify([first, last, after, before]);
    const byArgs = loadersByArgs.get(context.loaders) ?? new Map<string, Loader<Key, Value>>();
    loadersByArgs.set(context.loaders, byArgs);
    const loader = byArgs.get(key) ?? defineLoader<Key, Value>((caller, keys) => batch(caller, keys, args));
    byArgs.set(key, loader);
    return loader(context);
  };
}

/** Starts afresh: what an event shows must not come from before it. */
export function resetLoaders(context: Context): void {
  context.loaders.clear();
}
