import { ValidationError } from '../../kernel/errors.ts';

export const embeddingRules = { set: { permission: 'tenant:update' } } as const;

/** They all stand in one header of every page. */
export const maxFrameAncestors = 20;

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** Nothing but letters, digits, dots, hyphens and a port: it becomes part of a header. */
const form = new RegExp(`^(https?)://(\\*\\.)?(${label}(?:\\.${label})*)(?::([1-9]\\d{0,4}))?$`);
const own: ReadonlySet<string> = new Set(['localhost', '127.0.0.1']);

/**
 * Origins that may show pages in frames, as a Content-Security-Policy has them: `https://app.acme.example`,
 * `https://*.acme.example`; without encryption only on the developer's own machine.
 * @throws ValidationError
 */
export function parseFrameAncestors(values: readonly string[], field: string): string[] {
  if (values.length > maxFrameAncestors) throw new ValidationError(field, `must not be more than ${maxFrameAncestors}`);
  return [...new Set(values.map((value) => parseAncestor(value, field)))];
}

function parseAncestor(value: string, field: string): string {
  const origin = value.length > 300 ? '' : value.trim().toLowerCase().replace(/\/$/, '');
  const [, scheme, wildcard, host = '', port = '443'] = form.exec(origin) ?? [];
  if (!scheme || host.length > 253 || Number(port) > 65_535) {
    throw new ValidationError(
      field,
      'each must be an origin, such as https://app.acme.example or https://*.acme.example',
    );
  }
  if (wildcard && !host.includes('.'))
    throw new ValidationError(field, `${wildcard}${host} would be half the internet`);
  if (scheme === 'http' && !own.has(host)) throw new ValidationError(field, 'each must begin with https://');
  return origin;
}
