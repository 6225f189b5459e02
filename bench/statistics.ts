/** Of times in milliseconds. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function summarize(times: readonly number[]): Summary {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

export function show({ count, median, p99, max }: Summary): string {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return `median ${ms(median)}, p99 ${ms(p99)}, max ${ms(max)} (${count} sends)`;
}
