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

interface Named {
  readonly name: string;
}

/** Prosa, or what is measured beside it. */
export interface Contender extends Named {
  measure(): Promise<Reading>;
}

/** What the project wants to reach, as a ratio of Prosa to the peer. */
export interface Target {
  readonly least?: number;
  readonly most?: number;
}

/** Alternating repetitions, so that a noisy machine is noisy to all. */
export const fewest = 3;

/** What was measured of each contender, in the order of the repetitions. */
export type Readings<Who extends Named = Contender> = ReadonlyMap<Who, readonly Reading[]>;

interface Turns {
  readonly title: string;
  /** Of what is compared, such as `requests/s`. */
  readonly unit: string;
  readonly print: (line: string) => void;
  /** How often each is measured unseen before; absent: once. Without use where a measurement begins anew. */
  readonly unseen?: number;
  /**
   * Absent: three. Short ones, and many, where they differ much: on a machine that others share, what is compared has to
   * lie close together.
   */
  readonly repetitions?: number;
}

/** Measures all of them so many times, one after the other. */
export async function inTurns(
  contenders: readonly Contender[],
  { title, unit, print, unseen = 1, repetitions = fewest }: Turns,
): Promise<Readings> {
  const readings = new Map<Contender, Reading[]>(contenders.map((contender) => [contender, []]));
  // Caches fill, and the compiler of JavaScript gets to know the code.
  for (let time = 0; time < unseen; time++) for (const contender of contenders) await contender.measure();
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const contender of repetition % 2 === 0 ? contenders : [...contenders].reverse()) {
      const reading = await contender.measure();
      readings.get(contender)?.push(reading);
      print(`${title}, ${contender.name}: ${describe([reading], unit)}`);
    }
  }
  return readings;
}

/** The ratio of one contender to another one within a repetition. */
export function compare<Who extends Named>(
  readings: Readings<Who>,
  [one, other]: readonly [Who, Who],
  { title, unit, target }: { readonly title: string; readonly unit: string; readonly target: Target },
): Row {
  const ours = readings.get(one) ?? [];
  const theirs = readings.get(other) ?? [];
  const ratio = spreadOf(ours.map(({ value }, index) => value / (theirs[index]?.value ?? Number.NaN)));
  return {
    what: title,
    against: other.name,
    ratio,
    target,
    reached: reaches(ratio, target),
    prosa: describe(ours, unit),
    peer: describe(theirs, unit),
  };
}

/** Measures Prosa and its peers in turns and compares it with each of them. */
export async function contest(
  options: Turns & {
    readonly prosa: Contender;
    readonly peers: readonly { readonly contender: Contender; readonly target: Target }[];
  },
): Promise<Row[]> {
  const { prosa, peers } = options;
  const readings = await inTurns([prosa, ...peers.map(({ contender }) => contender)], options);
  return peers.map(({ contender, target }) => compare(readings, [prosa, contender], { ...options, target }));
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
