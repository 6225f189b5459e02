/** What all who take part in a run know. */
export interface World {
  /** Where GraphQL is, on each process. */
  readonly urls: readonly string[];
  readonly rooms: readonly string[];
  /** What must never happen and did: wrong answers, as against errors while something is away. */
  readonly violations: string[];
}

/** What a send says: found again in what readers get, and in the table. */
export interface Body {
  /** Which of the rooms. */
  readonly room: number;
  readonly text: string;
}

export function bodyOf(room: number, writer: string, count: number): string {
  return `${room}/${writer}/${count}`;
}

/** @throws for a body that nobody in this run has written. */
export function parseBody(text: string): Body {
  const room = Number(/^(\d+)\/[\w-]+\/\d+$/.exec(text)?.[1]);
  if (!Number.isInteger(room)) throw new Error(`nobody has written ${text}`);
  return { room, text };
}

const passing: ReadonlySet<string> = new Set(['UNAVAILABLE', 'TIMEOUT']);

/** What an operation may answer while a service is away; the client tries again. */
export function isTrouble(codes: readonly string[]): boolean {
  return codes.length > 0 && codes.every((code) => passing.has(code));
}
