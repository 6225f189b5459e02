import type { Database, TenantDb } from '../../db/database.ts';
import type { Actor as ActorRow, Tenant } from '../../db/generated/client.ts';
import type { PageRequest } from '../../db/pages.ts';
import { lookup, sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';
import { newId } from '../../kernel/ids.ts';
import type { GrantDifference } from '../../policy/grants.ts';
import type { Claims } from './identity.rules.ts';
import { differencesOf } from './roles.store.ts';

export type { ActorRow, Tenant };

/** The tenant of that key, made on first sight: the host product that signs the tokens decides which tenants exist. */
export async function ensureTenant(database: Database, key: string, name = key): Promise<Tenant> {
  const found = await findTenant(database, key);
  if (found) return found;
  // Two may see it first at once. Not Prisma's upsert: without an update it reads and then inserts, and loses that race.
  await database.prisma.tenant.createMany({ data: [{ id: newId(), key, name }], skipDuplicates: true });
  return database.prisma.tenant.findUniqueOrThrow({ where: { key } });
}

export async function findTenant(database: Database, key: string): Promise<Tenant | null> {
  return database.prisma.tenant.findUnique({ where: { key } });
}

export async function findActorBySubject(db: TenantDb, subject: string): Promise<ActorRow | null> {
  return db.prisma.actor.findFirst({ where: { subject } });
}

/** What is known of whom claims describe, before anything of it is written. */
export interface Account {
  readonly tenantId: string;
  /** Null for somebody who has not been seen here. */
  readonly actor: ActorRow | null;
  /** Where the tenant differs from the matrix. */
  readonly differences: readonly GrantDifference[];
}

type Whose = Pick<Claims, 'tenant' | 'subject'>;

/** The accounts of these, in one statement; null for one whose tenant does not exist. */
export async function findAccounts(database: Database, whose: readonly Whose[]): Promise<(Account | null)[]> {
  const rows = await database.engine.run(accountsStatement, [
    whose.map(({ tenant }) => tenant),
    whose.map(({ subject }) => subject),
  ]);
  const accounts: (Account | null)[] = whose.map(() => null);
  for (const { place, ownTenantId, differences, ...actor } of rows) {
    const known = actor.id === null ? null : (actor as ActorRow);
    accounts[Number(place) - 1] = { tenantId: ownTenantId, actor: known, differences };
  }
  return accounts;
}

const subjectTaken = sql<{ taken: number }>(
  'identity.subjectTaken',
  'SELECT 1 AS taken FROM actors WHERE tenant_id = $1 AND subject = $2',
);

/** Whether somebody has signed in with this subject. */
export async function isSubjectTaken(tx: TenantTransaction, subject: string): Promise<boolean> {
  return (await tx.query(subjectTaken, subject)).length > 0;
}

/**
 * The actor that these claims describe, with what they say of it. An imported person who has not signed in before is
 * recognised by the e-mail address, which the host product vouches for.
 */
export async function saveActor(db: TenantQueries, claims: Claims): Promise<ActorRow> {
  const kind = claims.role === 'SERVICE' ? 'SERVICE_ACCOUNT' : 'USER';
  const profile = [claims.role, claims.name ?? null, claims.email ?? null, claims.picture ?? null] as const;
  if (claims.email) {
    const [claimed] = await db.query(claimImported, claims.subject, kind, ...profile);
    if (claimed) return claimed;
  }
  const [saved] = await db.query(upsertActor, claims.subject, kind, ...profile, newId());
  if (!saved) throw new Error('an upsert gave no row');
  return saved;
}

const actorColumns = `
  tenant_id AS "tenantId", id, kind, subject, role, name, email, picture_url AS "pictureUrl",
  deactivated_at AS "deactivatedAt", last_seen_at AS "lastSeenAt", membership_version AS "membershipVersion",
  created_at AS "createdAt", updated_at AS "updatedAt"`;

type AccountRow = { readonly [Field in keyof ActorRow]: ActorRow[Field] | null } & {
  readonly place: bigint;
  readonly ownTenantId: string;
  readonly differences: readonly GrantDifference[];
};

const accountsStatement = sql<AccountRow>(
  'identity.accounts',
  `SELECT claimed.place, t.id AS "ownTenantId", actor.*, ${differencesOf('t.id')} AS differences
   FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS claimed(tenant, subject, place)
   JOIN tenants t ON t.key = claimed.tenant
   LEFT JOIN LATERAL (
     SELECT ${actorColumns} FROM actors WHERE tenant_id = t.id AND subject = claimed.subject
   ) AS actor ON true`,
);

const claimImported = sql<ActorRow>(
  'identity.claimImported',
  `UPDATE actors SET subject = $2, role = $4::tenant_role, name = coalesce($5, name),
     picture_url = coalesce($7, picture_url), updated_at = now()
   WHERE tenant_id = $1 AND id = (
     SELECT id FROM actors WHERE tenant_id = $1 AND kind = $3::actor_kind AND subject IS NULL AND email = $6
       AND deactivated_at IS NULL
     ORDER BY id LIMIT 1 FOR UPDATE
   ) AND NOT EXISTS (SELECT FROM actors a WHERE a.tenant_id = $1 AND a.subject = $2)
   RETURNING ${actorColumns}`,
);

const upsertActor = sql<ActorRow>(
  'identity.upsertActor',
  `INSERT INTO actors (tenant_id, subject, kind, role, name, email, picture_url, id)
   VALUES ($1, $2, $3::actor_kind, $4::tenant_role, coalesce($5, $2), $6, $7, $8)
   ON CONFLICT (tenant_id, subject) DO UPDATE SET role = excluded.role, name = coalesce($5, actors.name),
     email = coalesce($6, actors.email), picture_url = coalesce($7, actors.picture_url), updated_at = now()
   RETURNING ${actorColumns}`,
);

const noteTokenStatement = sql<{ noted: number }>(
  'identity.noteToken',
  `WITH expired AS (
     DELETE FROM audit_sign_ins WHERE tenant_id = $1 AND expires_at < now() AND token_hash <> $2
   )
   INSERT INTO audit_sign_ins (tenant_id, token_hash, expires_at) VALUES ($1, $2, $3)
   ON CONFLICT DO NOTHING RETURNING 1 AS noted`,
);

/** Notes the hash of a token until the token ends. @returns whether it is the first time, on any process. */
export async function noteToken(tx: TenantTransaction, tokenHash: string, expiresAt: Date): Promise<boolean> {
  return (await tx.query(noteTokenStatement, tokenHash, expiresAt)).length > 0;
}

/** The actors with these ids; those that do not exist in the tenant are missing. */
export async function findActors(db: TenantDb, ids: readonly string[]): Promise<ActorRow[]> {
  return db.query(actorsByIds, ids);
}

const actorsByIds = lookup<ActorRow>(
  'identity.actorsByIds',
  `SELECT ${actorColumns} FROM actors WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
);

const deactivateStatement = sql<Pick<ActorRow, 'id' | 'kind' | 'name' | 'subject'> & { changed: boolean }>(
  'identity.setDeactivated',
  `UPDATE actors SET deactivated_at = CASE WHEN $3 THEN coalesce(actors.deactivated_at, now()) END, updated_at = now()
   FROM (
     SELECT id, deactivated_at FROM actors WHERE tenant_id = $1 AND id = $2 AND kind <> 'CONTACT' FOR NO KEY UPDATE
   ) AS before
   WHERE actors.tenant_id = $1 AND actors.id = before.id
   RETURNING actors.id, actors.kind, actors.name, actors.subject, (before.deactivated_at IS NOT NULL) <> $3 AS changed`,
);

/** @returns the actor and whether this changed anything; null where there is no such actor. */
export async function setDeactivated(tx: TenantTransaction, id: string, deactivated: boolean) {
  return (await tx.query(deactivateStatement, id, deactivated))[0] ?? null;
}

/** One row more than the page holds, in the page's own direction; by name. */
export async function readUsers(
  db: TenantQueries,
  request: PageRequest<UserPosition>,
  search: string | null,
): Promise<ActorRow[]> {
  const statement = request.backward ? usersBackward : usersForward;
  const { after, before } = request;
  return db.query(
    statement,
    search === null ? null : `%${search.replace(/[\\%_]/g, '\\$&')}%`,
    after?.name ?? null,
    after?.id ?? null,
    before?.name ?? null,
    before?.id ?? null,
    request.size + 1,
  );
}

export interface UserPosition {
  readonly name: string;
  readonly id: string;
}

const usersPage = (direction: 'ASC' | 'DESC') => `
  SELECT ${actorColumns} FROM actors
  WHERE tenant_id = $1 AND kind = 'USER' AND deactivated_at IS NULL
    AND ($2::text IS NULL OR name ILIKE $2 OR email ILIKE $2)
    AND ($3::text IS NULL OR (name, id) > ($3, $4::uuid))
    AND ($5::text IS NULL OR (name, id) < ($5, $6::uuid))
  ORDER BY name ${direction}, id ${direction} LIMIT $7`;

const usersForward = sql<ActorRow>('identity.usersForward', usersPage('ASC'));
const usersBackward = sql<ActorRow>('identity.usersBackward', usersPage('DESC'));
