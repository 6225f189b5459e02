import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import type { Database, TenantDb } from '../../db/database.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import { together } from '../../db/together.ts';
import { recordAudit } from '../../events/auditTrail.ts';
import type { Actor } from '../../kernel/actor.ts';
import { NotFoundError, UnauthenticatedError, ValidationError } from '../../kernel/errors.ts';
import { encodeId, type NodeType } from '../../kernel/ids.ts';
import type { Origin } from '../../kernel/origin.ts';
import { inOnePiece, parseText } from '../../kernel/text.ts';
import { grantsIn } from '../../policy/grants.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { requireFeature } from './entitlements.rules.ts';
import { enterGrowth, requireSeat } from './entitlements.service.ts';
import { type Claims, identityRules, revocationChannel } from './identity.rules.ts';
import * as store from './identity.store.ts';

export type { ActorRow } from './identity.store.ts';

/** The tenant of that key, made on first sight. */
export async function openTenant(database: Database, key: string): Promise<store.Tenant> {
  return store.ensureTenant(database, key);
}

/** `signIn` for a whole process: those whose tokens come at the same time, as after a restart, are looked up together. */
export function createSignIn(
  database: Database,
  onChange: (actorId: string) => void,
): (claims: Claims) => Promise<Actor> {
  const find = together((all: readonly Claims[]) => store.findAccounts(database, all));
  return async (claims) => enter(database, claims, await find(claims), onChange);
}

/**
 * The actor of a verified token; its row is created or refreshed on first sight.
 * @throws UnauthenticatedError for a deactivated actor, EntitlementError for somebody new whom the plan does not include.
 */
export async function signIn(database: Database, claims: Claims): Promise<Actor> {
  const [account = null] = await store.findAccounts(database, [claims]);
  return enter(database, claims, account);
}

/** What most tokens grant beyond the role: one for all, as every open subscription holds it. */
const none: ReadonlySet<string> = new Set();

async function enter(
  database: Database,
  claims: Claims,
  account: store.Account | null,
  onChange: (actorId: string) => void = () => undefined,
): Promise<Actor> {
  const tenantId = account?.tenantId ?? (await store.ensureTenant(database, claims.tenant)).id;
  const db = database.forTenant(tenantId);
  const known = account?.actor;
  const asKnown = known && describes(claims, known);
  const row = !known ? await admit(db, claims) : asKnown ? known : await store.saveActor(db, claims);
  // Also somebody new: an imported person may have become who this is.
  if (!asKnown) onChange(row.id);
  if (row.deactivatedAt) throw new UnauthenticatedError('this account is deactivated');
  // Kept as long as a socket is open, and what came with them in the same row would be kept too.
  return {
    tenantId: db.tenantId,
    id: inOnePiece(row.id),
    kind: claims.role === 'SERVICE' ? 'SERVICE_ACCOUNT' : 'USER',
    role: claims.role,
    name: inOnePiece(row.name),
    permissions: claims.permissions.length > 0 ? new Set(claims.permissions) : none,
    grants: grantsIn(account?.differences ?? [], claims.role),
    expiresAt: claims.expiresAt,
  };
}

/** The row of somebody who was not known a moment ago. @throws EntitlementError */
async function admit(db: TenantDb, claims: Claims): Promise<store.ActorRow> {
  return db.transaction(async (tx) => {
    const entitlements = await enterGrowth(tx, 'USERS');
    // Seen first by two requests at once: the second finds whom the first has let in.
    if (await store.isSubjectTaken(tx, claims.subject)) return store.saveActor(tx, claims);
    if (claims.role === 'SERVICE') requireFeature(entitlements, 'SERVICE_ACCOUNTS');
    const saved = await store.saveActor(tx, claims);
    if (saved.kind === 'USER') await requireSeat(tx, entitlements);
    return saved;
  });
}

/** Whether the claims are about this actor, who is signed in: the same tenant and the same subject. */
export async function isClaimedBy(database: Database, claims: Claims, actor: Actor): Promise<boolean> {
  const tenant = await store.findTenant(database, claims.tenant);
  if (tenant?.id !== actor.tenantId) return false;
  return (await store.findActorBySubject(database.forTenant(tenant.id), claims.subject))?.id === actor.id;
}

/**
 * Records in the audit trail that an admin uses a token, unless that was recorded before, by whatever process.
 * @param tokenHash of the token; the token itself is kept nowhere.
 */
export async function recordSignIn(database: Database, actor: Actor, tokenHash: string, origin: Origin): Promise<void> {
  const expiresAt = new Date(actor.expiresAt);
  await database.forTenant(actor.tenantId).transaction(async (tx) => {
    if (!(await store.noteToken(tx, tokenHash, expiresAt))) return;
    recordAudit(
      tx,
      { actor, origin },
      {
        action: 'admin.signIn',
        targetType: actor.kind === 'SERVICE_ACCOUNT' ? 'ServiceAccount' : 'User',
        targetId: actor.id,
        metadata: { tokenExpiresAt: expiresAt.toISOString() },
      },
    );
  });
}

function describes(claims: Claims, row: store.ActorRow): boolean {
  return (
    row.role === claims.role &&
    (claims.name === undefined || claims.name === row.name) &&
    (claims.email === undefined || claims.email === row.email) &&
    (claims.picture === undefined || claims.picture === row.pictureUrl)
  );
}

/** Somebody to be shown, if this process has them at hand. */
export function findShownActor(caller: Caller, id: string): store.ActorRow | null {
  return caller.shownActors.find(caller.actor.tenantId, id);
}

/** As `loadActors`, for actors who are only shown. */
export async function loadShownActors(caller: Caller, ids: readonly string[]): Promise<(store.ActorRow | null)[]> {
  return caller.shownActors.load(caller.actor.tenantId, ids);
}

/** The actors with these ids, in the order of the ids; null for one that does not exist in the caller's tenant. */
export async function loadActors(caller: Caller, ids: readonly string[]): Promise<(store.ActorRow | null)[]> {
  const rows = new Map((await store.findActors(caller.db, ids)).map((row) => [row.id, row]));
  return ids.map((id) => rows.get(id) ?? null);
}

/** The active users of the tenant by name; `search` finds parts of names and addresses. */
export async function listUsers(caller: Caller, args: PageArgs, search: string | null): Promise<Page<store.ActorRow>> {
  requireInTenant(caller.actor, identityRules.listUsers);
  const request = parsePage(args, (cursor, field) => {
    const [name, id] = decodeCursor('users', ['text', 'uuid'], cursor, field);
    return { name, id };
  });
  const text = search === null ? null : parseText('search', search, { max: 200 });
  return toPage(request, await store.readUsers(caller.db, request, text || null));
}

/**
 * Ends the access of somebody at once, on every process, or gives it back. Twice changes nothing.
 * @throws ForbiddenError, NotFoundError, ValidationError (oneself), EntitlementError (nobody has access back beyond the plan)
 */
export async function setDeactivated(caller: Caller, userId: string, deactivated: boolean): Promise<void> {
  requireInTenant(caller.actor, identityRules.deactivate);
  if (userId === caller.actor.id) throw new ValidationError('input.userId', 'must be somebody else');
  await caller.db.transaction(async (tx) => {
    const entitlements = deactivated ? null : await enterGrowth(tx, 'USERS');
    const account = await store.setDeactivated(tx, userId, deactivated);
    if (!account) throw new NotFoundError('user', 'input.userId');
    if (!account.changed) return;
    if (entitlements && account.kind === 'USER' && account.subject !== null) await requireSeat(tx, entitlements);
    caller.audit.record(tx, {
      action: deactivated ? 'user.deactivate' : 'user.reactivate',
      targetType: nodeTypeOf(account),
      targetId: userId,
      metadata: { name: account.name },
    });
    tx.afterCommit(() => caller.shownActors.changed(userId));
    if (deactivated) tx.afterCommit(() => caller.bus.publish(revocationChannel, userId));
  });
}

function nodeTypeOf(actor: Pick<store.ActorRow, 'kind'>): NodeType {
  return actor.kind === 'SERVICE_ACCOUNT' ? 'ServiceAccount' : 'User';
}

/** The id by which clients know an actor. */
export function publicActorId(actor: Pick<store.ActorRow, 'id' | 'kind'>): string {
  return encodeId(nodeTypeOf(actor), actor.id);
}

export function userCursor(user: store.ActorRow): string {
  return encodeCursor('users', [user.name, user.id]);
}
