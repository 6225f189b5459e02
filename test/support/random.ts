/** Numbers that are the same for the same seed, so that a failure can be repeated. */
export interface Random {
  /** From 0 up to, and without, `below`. */
  integer(below: number): number;
  /** One of them. */
  pick<T>(values: readonly T[]): T;
}

/** Prints the seed; TEST_SEED sets it, to repeat a run. */
export function createRandom(what: string): Random {
  const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: TEST_SEED=${seed}`);
  let state = seed;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number) => Math.floor(next() * below);
  return {
    integer,
    pick(values) {
      const value = values[integer(values.length)];
      if (value === undefined) throw new Error('there is nothing to pick from');
      return value;
    },
  };
}
