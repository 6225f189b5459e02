import { z } from 'zod';
import {
  dueScript,
  expireScript,
  holdScript,
  leftBehindScript,
  lookScript,
  readScript,
  releaseScript,
  renewScript,
  setStatusScript,
} from './leaseScripts.store.ts';
import type { ActorKey, Due, Outcome, PresenceStore, Transition } from './leases.types.ts';
import type { ConnectionStatus } from './presence.types.ts';
import { type RedisClient, runScript, type Script } from './redisScript.store.ts';

/** Over so many keys leases are spread, and with them over the nodes of a cluster. Each is a call per sweep and process. */
const shards = 16;
const allShards = Array.from({ length: shards }, (_, shard) => shard);

/** Connections in one script, or actors: bounds for how long it blocks Redis to about a millisecond. */
const batchSize = 200;

/** Who is meant where no process is. */
const nobody = '';

const statuses = z.enum(['ONLINE', 'AWAY', 'OFFLINE']);
const rows = z.array(z.tuple([z.string(), statuses, z.coerce.number(), z.coerce.number()]));
const looks = z.array(z.tuple([z.string(), statuses, z.coerce.number(), z.number()]));
const heldAnswer = z.tuple([z.number(), rows]);
const readings = z.tuple([z.coerce.number()], statuses);
const names = z.array(z.string());
const dueAnswer = z.tuple([names, names]);

/**
 * The leases of all processes over one Redis or Redis Cluster.
 * @param options.lease milliseconds for which a process is taken to be alive after it last showed it; the same in all.
 * @param options.prefix goes before every key; deployments that share a Redis do well to have different ones.
 */
export function createRedisPresenceStore(
  redis: RedisClient,
  { lease, prefix = 'prosa:' }: { readonly lease: number; readonly prefix?: string },
): PresenceStore {
  const keyOf = (shard: number, name: string) => `${prefix}leases:{${shard}}:${name}`;
  const actorKey = (actor: ActorKey) => keyOf(shardOf(actor), memberOf(actor));

  /** Runs a script on a shard, for a process and some hashes of actors. */
  function run(
    text: Script,
    shard: number,
    holder: string,
    actors: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const keys = [keyOf(shard, 'due'), keyOf(shard, 'holders'), keyOf(shard, `held:${holder}`), ...actors];
    return runScript(redis, text, keys, [lease, holder, ...args]);
  }

  /** Runs a script per shard and batch, all at once, with one argument for each actor. */
  async function forActors<A extends ActorKey>(
    text: Script,
    holder: string,
    actors: readonly A[],
    first: readonly number[],
    argOf: (actor: A) => string | number,
  ): Promise<{ answers: unknown[]; failed: A[]; error: unknown }> {
    const batches = batchesOf(actors);
    const settled = await Promise.allSettled(
      batches.map(({ shard, batch }) => run(text, shard, holder, batch.map(actorKey), [...first, ...batch.map(argOf)])),
    );
    const failed = batches.flatMap(({ batch }, index) => (settled[index]?.status === 'rejected' ? batch : []));
    return { answers: valuesOf(settled), failed, error: errorOf(settled) };
  }

  /** How these actors of a shard stand who are due for the same reason. */
  async function look(shard: number, holder: string | null, members: readonly string[]): Promise<Due[]> {
    if (members.length === 0) return [];
    const keys = members.map((member) => keyOf(shard, member));
    const answer = looks.parse(await run(lookScript, shard, nobody, keys, members));
    return answer.map(([member, status, seen, orphaned]) => {
      return { ...actorOf(member), status, seenAt: new Date(seen), holder, isOrphaned: orphaned === 1 };
    });
  }

  return {
    async hold(holder, leases, expiry) {
      const { answers, ...rest } = await forActors(
        holdScript,
        holder,
        leases,
        [expiry],
        ({ status, force, connectionId }) => `${letterOf(status)}${force ? 1 : 0}${connectionId}`,
      );
      const held = answers.map((answer) => heldAnswer.parse(answer));
      const transitions = held.flatMap(([, told]) => transitionsOf(told));
      return { ...rest, transitions, isKnown: held.every(([known]) => known === 1) };
    },
    async renew(holder) {
      const settled = await Promise.allSettled(allShards.map((shard) => run(renewScript, shard, holder, [], [])));
      return { isKnown: valuesOf(settled).every((known) => known === 1), error: errorOf(settled) };
    },
    async release(holder, leases, grace) {
      return told(
        await forActors(
          releaseScript,
          holder,
          leases,
          [grace],
          ({ age, connectionId }) => `${Math.round(age)}:${connectionId}`,
        ),
      );
    },
    async setStatus(actor, status) {
      return transitionsOf(await run(setStatusScript, shardOf(actor), nobody, [actorKey(actor)], [letterOf(status)]));
    },
    async read(actors) {
      const found = new Map<string, { status: z.infer<typeof statuses>; stamp: number }>();
      const settled = await Promise.allSettled(
        batchesOf(actors).map(async ({ batch }) => {
          const [stamp, ...states] = readings.parse(await runScript(redis, readScript, batch.map(actorKey), []));
          batch.forEach((actor, index) => {
            found.set(memberOf(actor), { status: states[index] ?? 'OFFLINE', stamp });
          });
        }),
      );
      const error = errorOf(settled);
      return { error, states: actors.map((actor) => found.get(memberOf(actor)) ?? null) };
    },
    async due() {
      const settled = await Promise.allSettled(
        allShards.map(async (shard): Promise<Due[]> => {
          const [members, dead] = dueAnswer.parse(await run(dueScript, shard, nobody, [], [batchSize]));
          const due = await look(shard, null, members);
          for (const holder of dead) {
            const left = names.parse(await run(leftBehindScript, shard, holder, [], [batchSize]));
            due.push(...(await look(shard, holder, left)));
          }
          return due;
        }),
      );
      return { due: valuesOf(settled).flat(), error: errorOf(settled) };
    },
    async expire(actors) {
      const outcomes = await Promise.all(
        [...Map.groupBy(actors, ({ holder }) => holder)].map(([holder, due]) =>
          forActors(expireScript, holder ?? nobody, due, [], ({ pause }) => pause ?? 'end').then(told),
        ),
      );
      return {
        transitions: outcomes.flatMap(({ transitions }) => transitions),
        failed: outcomes.flatMap(({ failed }) => failed),
        error: outcomes.find(({ error }) => error !== null)?.error ?? null,
      };
    },
  };
}

function memberOf({ tenantId, actorId }: ActorKey): string {
  return `${tenantId}:${actorId}`;
}

function actorOf(member: string): ActorKey {
  const [tenantId = '', actorId = ''] = member.split(':');
  return { tenantId, actorId };
}

/** By the last digit of the id, which is random in a UUIDv7. */
function shardOf({ actorId }: ActorKey): number {
  return Number.parseInt(actorId.slice(-1), 16) % shards;
}

function letterOf(status: ConnectionStatus): 'O' | 'A' {
  return status === 'AWAY' ? 'A' : 'O';
}

function batchesOf<A extends ActorKey>(actors: readonly A[]): { shard: number; batch: A[] }[] {
  return [...Map.groupBy(actors, shardOf)].flatMap(([shard, all]) =>
    Array.from({ length: Math.ceil(all.length / batchSize) }, (_, index) => ({
      shard,
      batch: all.slice(index * batchSize, (index + 1) * batchSize),
    })),
  );
}

function valuesOf<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** Why the first of them failed; null where none did. */
function errorOf(settled: readonly PromiseSettledResult<unknown>[]): unknown {
  return settled.find((each) => each.status === 'rejected')?.reason ?? null;
}

function told<A>({ answers, failed, error }: { answers: unknown[]; failed: A[]; error: unknown }): Outcome<A> {
  return { transitions: answers.flatMap(transitionsOf), failed, error };
}

function transitionsOf(answer: unknown): Transition[] {
  return rows.parse(answer).map(([member, status, seen, stamp]) => {
    return { ...actorOf(member), status, seenAt: new Date(seen), stamp };
  });
}
