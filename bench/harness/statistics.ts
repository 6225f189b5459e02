/** Of a few figures. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(figures: readonly number[]): Spread {
  return { median: quantile(figures, 0.5), min: Math.min(...figures), max: Math.max(...figures) };
}

/** @param share from 0, the smallest, to 1, the largest. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
