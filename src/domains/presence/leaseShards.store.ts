/**
 * Parts in which leases are kept, which spreads them over the nodes of a cluster, and renewed, one after the other, so that
 * neither a process nor Redis has all of them to do at once. Each is one call per sweep and process.
 */
export const shards = 16;

/** By the last digit of the id, which is random in a UUIDv7. */
export function shardOf(actorId: string): number {
  return Number.parseInt(actorId.slice(-1), shards);
}
