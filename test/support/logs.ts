import { pino } from 'pino';
import { z } from 'zod';
import type { Logger } from '../../src/kernel/logger.ts';

const line = z.looseObject({ level: z.number(), msg: z.string().optional() });

type LogLine = z.infer<typeof line>;

/** A real logger whose lines a test can read. */
export interface CapturedLog {
  readonly logger: Logger;
  readonly lines: readonly LogLine[];
  /** The lines with a stack trace: there must be none for what a user did. */
  traces(): readonly LogLine[];
}

export function captureLog(): CapturedLog {
  const lines: LogLine[] = [];
  const logger = pino(
    { level: 'trace', base: null },
    { write: (text: string) => void lines.push(line.parse(JSON.parse(text))) },
  );
  return { logger, lines, traces: () => lines.filter((entry) => /\\n\s+at /.test(JSON.stringify(entry))) };
}
