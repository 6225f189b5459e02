import { type Row, round } from './results.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** What one repetition gave. */
export interface Reading {
  /** What is compared: requests a second, say. */
  readonly value: number;
  /** Time of the server's processor for one request or delivery, in microseconds; absent where that has no meaning. */
  readonly cpu?: number;
  /** What else is worth being told, by its unit, such as `µs of PostgreSQL`. */
  readonly more?: Readonly<Record<string, number>>;
}

/** Prosa, or what is measured beside it. */
export interface Contender {
  readonly name: string;
  measure(): Promise<Reading>;
}

/** What the project wants to reach, as a ratio of Prosa to the peer. */
export interface Target {
  readonly least?: number;
  readonly most?: number;
}

/** Alternating repetitions, so that a noisy machine is noisy to all. */
const repetitions = 3;

/**
 * Measures Prosa and its peers in turns and compares: the result is the ratio of Prosa to each peer within a repetition.
 * @param unit of what is compared, such as `requests/s`.
 */
export async function contest(options: {
  readonly title: string;
  readonly unit: string;
  readonly prosa: Contender;
  readonly peers: readonly { readonly contender: Contender; readonly target: Target }[];
  readonly print: (line: string) => void;
}): Promise<Row[]> {
  const { title, unit, prosa, peers, print } = options;
  const contenders = [prosa, ...peers.map(({ contender }) => contender)];
  const readings = new Map<Contender, Reading[]>(contenders.map((contender) => [contender, []]));
  // Each is measured once unseen: caches fill, and the compiler of JavaScript gets to know the code.
  for (const contender of contenders) await contender.measure();
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const contender of repetition % 2 === 0 ? contenders : [...contenders].reverse()) {
      const reading = await contender.measure();
      readings.get(contender)?.push(reading);
      print(`${title}, ${contender.name}: ${describe([reading], unit)}`);
    }
  }
  const ours = readings.get(prosa) ?? [];
  return peers.map(({ contender, target }) => {
    const theirs = readings.get(contender) ?? [];
    const ratio = spreadOf(ours.map(({ value }, index) => value / (theirs[index]?.value ?? Number.NaN)));
    return {
      what: title,
      against: contender.name,
      ratio,
      target,
      reached: reaches(ratio, target),
      prosa: describe(ours, unit),
      peer: describe(theirs, unit),
    };
  });
}

export function reaches(
  { median }: Spread,
  { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }: Target,
) {
  return median >= least && median <= most;
}

function describe(readings: readonly Reading[], unit: string): string {
  const parts = [`${round(spreadOf(readings.map(({ value }) => value)).median)} ${unit}`];
  const cpus = readings.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]));
  if (cpus.length > 0) parts.push(`${round(spreadOf(cpus).median)} µs of the server`);
  for (const name of Object.keys(readings[0]?.more ?? {})) {
    parts.push(`${round(spreadOf(readings.map(({ more }) => more?.[name] ?? Number.NaN)).median)} ${name}`);
  }
  return parts.join(', ');
}
