import { answerOf, type Served } from './http.ts';

/** A server, with what of its answers has to be the same as in those of the others. */
export interface Contestant extends Served {
  /** One entry for each thing that is shown, with the ids of the database. */
  shown(answer: unknown): readonly unknown[];
}

/**
 * Compares what the contestants answer to some of their requests.
 * @param length of what is shown.
 * @throws where one shows less, or something else.
 */
export async function showTheSame(
  [first, ...others]: readonly Contestant[],
  requests: readonly number[],
  length: number,
): Promise<void> {
  if (!first) return;
  for (const request of requests) {
    const wanted = first.shown(await answerOf(first, request));
    if (wanted.length !== length) throw new Error(`${first.name} shows ${wanted.length}, not ${length}`);
    for (const other of others) {
      const shown = other.shown(await answerOf(other, request));
      const at = wanted.findIndex((each, index) => JSON.stringify(each) !== JSON.stringify(shown[index]));
      if (at >= 0 || shown.length !== length) {
        throw new Error(`${other.name} shows ${JSON.stringify(shown[at])}, not ${JSON.stringify(wanted[at])}`);
      }
    }
  }
}
