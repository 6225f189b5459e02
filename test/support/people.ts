import { SignJWT } from 'jose';

/** Somebody of a tenant, as the host product's tokens describe them. */
export interface Person {
  readonly tenant: string;
  readonly subject: string;
  readonly role: 'admin' | 'supervisor' | 'agent' | 'service';
}

export const secret = 'a secret of the tests, which is long enough';

export function person(tenant: string, subject: string, role: Person['role'] = 'agent'): Person {
  return { tenant, subject, role };
}

/** What the token says besides, or differently. */
export interface TokenOptions {
  readonly expiresAt?: Date;
  readonly secret?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A token as the host product would sign it. The name is the subject. */
export function signToken({ tenant, subject, role }: Person, options: TokenOptions = {}): Promise<string> {
  const expiresAt = options.expiresAt ?? new Date(Date.now() + 3_600_000);
  return new SignJWT({ tenant, role, name: subject, ...options.claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(new TextEncoder().encode(options.secret ?? secret));
}
