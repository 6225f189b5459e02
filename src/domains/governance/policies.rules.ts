import { ValidationError } from '../../kernel/errors.ts';
import { parseText } from '../../kernel/text.ts';

export const policyRules = {
  retention: { permission: 'retention:update' },
  hold: { permission: 'hold:update' },
} as const;

/** A hundred years: longer than that is "for good", which is null. */
const maxDays = 36_500;
export const maxReasonLength = 1_000;

/** @throws ValidationError */
export function checkDays(days: number, field: string): void {
  if (days < 1 || days > maxDays) throw new ValidationError(field, `has to be from 1 to ${maxDays}`);
}

/** @throws ValidationError */
export function parseReason(reason: string): string {
  return parseText('input.reason', reason, { min: 1, max: maxReasonLength });
}
