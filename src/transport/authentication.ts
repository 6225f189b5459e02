import { createHash } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { AuthConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { type Claims, parseClaims } from '../domains/identity/identity.rules.ts';
import { createSignIn, isClaimedBy, recordSignIn } from '../domains/identity/identity.service.ts';
import type { Actor } from '../kernel/actor.ts';
import { UnauthenticatedError } from '../kernel/errors.ts';
import type { Origin } from '../kernel/origin.ts';

export interface Authentication {
  /**
   * The actor of a token. The first use of an admin's token is recorded in the audit trail.
   * @throws UnauthenticatedError for a token that is forged, expired, of another issuer or audience, or incomplete.
   */
  authenticate(token: string, origin: Origin): Promise<Actor>;
  /**
   * As `authenticate`, for a newer token of somebody who is signed in.
   * @throws UnauthenticatedError also for a token of anybody else, about whom nothing is written.
   */
  renew(token: string, actor: Actor, origin: Origin): Promise<Actor>;
  /** What was remembered of this actor's tokens counts no more. */
  forget(actorId: string): void;
}

/** How long a verified token is taken for what it said: bounds how late a change of the account is noticed. */
const rememberFor = 10_000;
const rememberAtMost = 10_000;

/** @param onChange told of an actor about whom a token says something new. */
export function createAuthentication(
  config: AuthConfig,
  database: Database,
  onChange: (actorId: string) => void,
): Authentication {
  const verify = createVerifier(config);
  const signIn = createSignIn(database, onChange);
  const remembered = new Map<string, { readonly actor: Promise<Actor>; readonly until: number }>();

  // Tokens whose first use is recorded: asks the database once for each, not whenever what was remembered has run out.
  const recorded = new Set<string>();

  let isSweepDue = false;
  /** What was remembered of a crowd, tokens and all, does not stay until somebody else signs in. */
  function sweep(): void {
    isSweepDue = false;
    const now = Date.now();
    for (const [token, { until }] of remembered) if (until <= now) remembered.delete(token);
    if (remembered.size > 0) sweepLater();
  }

  function sweepLater(): void {
    if (isSweepDue) return;
    isSweepDue = true;
    setTimeout(sweep, rememberFor).unref();
  }

  async function claimsOf(token: string): Promise<Claims> {
    const claims = parseClaims(await verify(token));
    if (typeof claims === 'string') throw new UnauthenticatedError(`the token cannot be used: ${claims}`);
    return claims;
  }

  async function signInWith(token: string, origin: Origin): Promise<Actor> {
    const actor = await signIn(await claimsOf(token));
    if (actor.role === 'ADMIN') await recordOnce(actor, token, origin);
    return actor;
  }

  async function recordOnce(actor: Actor, token: string, origin: Origin): Promise<void> {
    const hash = createHash('sha256').update(token).digest('hex');
    if (recorded.has(hash)) return;
    await recordSignIn(database, actor, hash, origin);
    if (recorded.size >= rememberAtMost) recorded.clear();
    recorded.add(hash);
  }

  async function authenticate(token: string, origin: Origin): Promise<Actor> {
    const now = Date.now();
    const known = remembered.get(token);
    if (known && known.until > now) {
      const actor = await known.actor;
      if (actor.expiresAt <= now) throw new UnauthenticatedError('the token has expired');
      return actor;
    }
    const actor = signInWith(token, origin);
    remembered.delete(token);
    remembered.set(token, { actor, until: now + rememberFor });
    sweepLater();
    // The oldest goes first: a Map keeps the order of insertion.
    for (const [oldest, { until }] of remembered) {
      if (until > now && remembered.size <= rememberAtMost) break;
      remembered.delete(oldest);
    }
    // A failure is not remembered: the next try may succeed.
    actor.catch(() => remembered.delete(token));
    return actor;
  }

  return {
    authenticate,
    async renew(token, actor, origin) {
      if (!(await isClaimedBy(database, await claimsOf(token), actor))) {
        throw new UnauthenticatedError('the token is of another account');
      }
      return authenticate(token, origin);
    },
    forget(actorId) {
      for (const [token, { actor }] of remembered) {
        void actor.then(({ id }) => id === actorId && remembered.delete(token)).catch(() => undefined);
      }
    },
  };
}

function createVerifier(config: AuthConfig): (token: string) => Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    ...(config.issuer ? { issuer: config.issuer } : {}),
    ...(config.audience ? { audience: config.audience } : {}),
    requiredClaims: ['exp', 'sub'],
    clockTolerance: 5,
  };
  if (config.jwksUrl) {
    const keys = createRemoteJWKSet(new URL(config.jwksUrl));
    const asymmetric = { ...options, algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'] };
    return (token) => explain(jwtVerify(token, keys, asymmetric));
  }
  if (!config.secret) throw new Error('there is neither a secret nor a key set to verify tokens with');
  // Imported once: from bytes it would be made anew for each token.
  const bytes = new TextEncoder().encode(config.secret);
  const key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  const symmetric = { ...options, algorithms: ['HS256'] };
  return async (token) => explain(jwtVerify(token, await key, symmetric));
}

async function explain(verified: Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verified).payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new UnauthenticatedError('the token has expired');
    // Key sets that cannot be fetched are our trouble, not the client's.
    if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) throw error;
    throw new UnauthenticatedError('the token is not valid');
  }
}

/** The token of an `Authorization: Bearer …` header; null without the header. @throws UnauthenticatedError */
export function bearerToken(header: string | null | undefined): string | null {
  if (!header) return null;
  const match = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header.trim());
  if (!match?.[1]) throw new UnauthenticatedError('the Authorization header has to be: Bearer <token>');
  return match[1];
}
