import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SignJWT } from 'jose';
import type { Config } from '../config.ts';
import type { Foundation } from '../server.ts';
import { demoRoom, demoTenant, people, seedDemo } from './demo.ts';

export interface Development {
  /** The settings, with the key that this machine made for itself. */
  readonly config: Config;
  /** A token of the demo tenant's admin, for GraphiQL; null where tokens are signed elsewhere. */
  readonly token: string | null;
  /** The public id of a room of the demo, or null. */
  readonly room: string | null;
  readonly welcome: (url: string) => string;
}

const tokenLife = '30d';

/**
 * What a start on a developer's machine does besides: makes a key if none is set, seeds the demo tenant the first time,
 * and signs tokens for its people.
 */
export async function prepareDevelopment(config: Config, foundation: Foundation): Promise<Development> {
  const { secret: given, jwksUrl } = config.auth;
  const secret = jwksUrl ? undefined : (given ?? ownSecret(config.dataDir));
  const auth = { ...config.auth, secret };
  await seedDemo(foundation);
  const room = await demoRoom(foundation);
  if (!secret) return { config, token: null, room, welcome: (url) => `GraphiQL: ${url}` };
  const tokens = await Promise.all(people.slice(0, 3).map((person) => signToken(person, secret, auth)));
  return {
    config: { ...config, auth },
    token: tokens[0] ?? null,
    room,
    welcome: (url) => {
      const lines = tokens.map((token, index) => `  ${people[index]?.role} (${people[index]?.name}):\n  ${token}\n`);
      return `\nGraphiQL: ${url}\n\nTokens of the demo tenant "${demoTenant}", for the Authorization header as "Bearer …":\n\n${lines.join('\n')}`;
    },
  };
}

/** The same over restarts, so that tokens in open tabs go on working. */
function ownSecret(folder: string): string {
  const file = path.join(folder, 'development-secret');
  mkdirSync(folder, { recursive: true });
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const secret = randomBytes(32).toString('base64url');
    writeFileSync(file, secret, { mode: 0o600 });
    return secret;
  }
}

async function signToken(person: (typeof people)[number], secret: string, auth: Config['auth']): Promise<string> {
  const jwt = new SignJWT({ tenant: demoTenant, role: person.role, name: person.name, email: person.email })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(person.subject)
    .setIssuedAt()
    .setExpirationTime(tokenLife);
  if (auth.issuer) jwt.setIssuer(auth.issuer);
  if (auth.audience) jwt.setAudience(auth.audience);
  return jwt.sign(new TextEncoder().encode(secret));
}
