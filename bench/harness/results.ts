import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Target } from './contest.ts';
import type { Spread } from './statistics.ts';

/** One line of the table of a case. */
export interface Row {
  readonly what: string;
  readonly against: string;
  readonly ratio: Spread;
  readonly target: Target;
  readonly reached: boolean;
  /** The medians behind the ratio, with their units. */
  readonly prosa: string;
  readonly peer: string;
}

/** What a case has to say. */
export interface Section {
  readonly rows: readonly Row[];
  /** What has to be known to read the rows, such as versions of peers; one line each. */
  readonly notes: readonly string[];
}

const file = fileURLToPath(new URL('../results.md', import.meta.url));
const start = (name: string) => `## ${name}\n`;

/** Puts what a case has given into `bench/results.md`, in place of what it gave before. */
export async function writeSection(name: string, order: readonly string[], section: Section): Promise<void> {
  const known = await sectionsOf(await readFile(file, 'utf8').catch(() => ''));
  known.set(name, render(section));
  const sections = order.flatMap((each) => (known.has(each) ? [`${start(each)}\n${known.get(each)}`] : []));
  await writeFile(file, `${introduction}\n${sections.join('\n')}`);
}

async function sectionsOf(text: string): Promise<Map<string, string>> {
  const parts = text.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), `${part.slice(end).trim()}\n`];
    }),
  );
}

const introduction = `# Results

Written by \`npm run bench\`; \`npm run bench -- CASE\` replaces the part of one case. A ratio is Prosa divided by what stands
beside it, the median of alternating repetitions, three at least, with the least and the most of them. The machine is shared
and noisy: the ratio is the result, not the figures behind it. “server” is the time of the server's processor for one request
or delivery. What the figures mean, and where time goes, is in
[docs/performance.md](../docs/performance.md).
`;

const head = ['case', 'against', 'ratio', 'wanted', 'reached', 'Prosa', 'the other'];

function render({ rows, notes }: Section): string {
  const cells = rows.map(({ what, against, ratio, target, reached, prosa, peer }) => {
    const shown = `**${round(ratio.median)}** (${round(ratio.min)}–${round(ratio.max)})`;
    const wanted = targetText(target);
    return [what, against, shown, wanted, wanted && (reached ? 'yes' : 'no'), prosa, peer];
  });
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const table = [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)];
  const versions = `Node.js ${process.versions.node}, ${os.availableParallelism()} cores (${os.cpus()[0]?.model.trim()})`;
  const facts = [`Measured on ${new Date().toISOString().slice(0, 10)}: ${versions}.`, ...notes];
  return `${facts.map((fact) => `- ${fact}`).join('\n')}\n\n${table.join('\n')}\n`;
}

function targetText({ least, most }: Target): string {
  if (least !== undefined) return `${least} or more`;
  return most === undefined ? '' : `${most} at most`;
}

/** Three digits that count. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
