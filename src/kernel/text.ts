import { ValidationError } from './errors.ts';

/**
 * Text from a client, without white space around it; its length is counted in code points.
 * @throws ValidationError naming `field` when it is shorter or longer than allowed, or holds a NUL or half a
 * surrogate pair, which PostgreSQL cannot store.
 */
export function parseText(
  field: string,
  value: string,
  length: { readonly min?: number; readonly max: number },
): string {
  const text = value.trim();
  const { min = 0, max } = length;
  if (!text.isWellFormed()) throw new ValidationError(field, 'must not contain half a surrogate pair');
  if (text.includes('\0')) throw new ValidationError(field, 'must not contain a NUL character');
  // Characters that only format (zero width, direction) show nothing by themselves.
  if (text.length < min || (min > 0 && /^[\p{Cf}\s]*$/u.test(text)))
    throw new ValidationError(field, 'must not be empty');
  // Code points are never more than UTF-16 units: the exact count is only needed for texts that may be too long.
  if (text.length > max && (text.length > 2 * max || [...text].length > max)) {
    throw new ValidationError(field, `must not have more than ${max.toLocaleString('en')} characters`);
  }
  return text;
}

/**
 * The same text in memory of its own. One that was cut out of another, or put together of several, keeps those for as long
 * as it is kept itself.
 */
export function inOnePiece(text: string): string {
  return Buffer.from(text).toString();
}
