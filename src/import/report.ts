/** An entry of the export that was left out because it cannot be understood. */
export interface Problem {
  readonly file: string;
  /** Its place in the file, counted from 0; null where the whole file is meant. */
  readonly index: number | null;
  readonly reason: string;
}

/** Why messages were left out. */
export type SkipReason = 'broken' | 'duplicate' | 'empty' | 'not a message';

/** What was noticed while loading what was loaded. */
type Remark =
  | 'bodies cut at the limit'
  | 'replies to a message that is not in the export'
  | 'messages without an author'
  | 'placeholders for users that are not in users.json'
  | 'users who are known by their e-mail address'
  | 'users given twice'
  | 'rooms given twice';

export interface ImportReport {
  readonly tenantId: string;
  readonly actors: { added: number; existing: number };
  readonly rooms: { added: number; existing: number };
  /** `existing` counts the listed members of rooms that existed: those rooms keep the members that they have. */
  readonly members: { added: number; existing: number };
  readonly messages: { added: number; existing: number };
  readonly skipped: Map<SkipReason, number>;
  readonly remarks: Map<Remark, number>;
  /** The first problems; `problemCount` counts them all. */
  readonly problems: Problem[];
  problemCount: number;
  seconds: number;
}

/** Problems that are listed one by one. */
const listedProblems = 20;

export function emptyReport(tenantId: string): ImportReport {
  return {
    tenantId,
    actors: { added: 0, existing: 0 },
    rooms: { added: 0, existing: 0 },
    members: { added: 0, existing: 0 },
    messages: { added: 0, existing: 0 },
    skipped: new Map(),
    remarks: new Map(),
    problems: [],
    problemCount: 0,
    seconds: 0,
  };
}

export function count<Key>(counts: Map<Key, number>, key: Key, by = 1): void {
  if (by > 0) counts.set(key, (counts.get(key) ?? 0) + by);
}

export function addProblem(report: ImportReport, problem: Problem): void {
  report.problemCount++;
  if (report.problems.length < listedProblems) report.problems.push(problem);
}

/** The report as lines to print. */
export function describeReport(report: ImportReport): string {
  const { seconds, problems, problemCount } = report;
  const number = (value: number) => value.toLocaleString('en');
  const both = ({ added, existing }: { added: number; existing: number }) =>
    `${number(added)} added, ${number(existing)} already there`;
  const rate = seconds > 0 ? ` (${number(Math.round(report.messages.added / seconds))} messages per second)` : '';
  const lines = [
    `users     ${both(report.actors)}`,
    `rooms     ${both(report.rooms)}`,
    `members   ${both(report.members)}`,
    `messages  ${both(report.messages)}`,
    ...[...report.skipped].map(([reason, times]) => `skipped   ${number(times)} messages: ${reason}`),
    ...[...report.remarks].map(([remark, times]) => `note      ${number(times)} ${remark}`),
    `time      ${seconds.toFixed(1)} s${rate}`,
  ];
  if (problemCount > 0) {
    const shown = problems.length < problemCount ? `, the first ${problems.length} of them:` : ':';
    lines.push(`broken    ${number(problemCount)} entries were left out${shown}`);
    for (const { file, index, reason } of problems) {
      lines.push(`  ${printable(file)}${index === null ? '' : ` entry ${index}`}: ${printable(reason)}`);
    }
  }
  return lines.join('\n');
}

/** Names come from the file: they must not steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
