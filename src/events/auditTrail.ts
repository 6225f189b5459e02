import { createHash } from 'node:crypto';
import { sql, type TenantTransaction } from '../db/sql.ts';
import type { Actor } from '../kernel/actor.ts';
import { newId } from '../kernel/ids.ts';
import type { Origin } from '../kernel/origin.ts';
import type { AuditAction } from './auditActions.ts';

/** Facts that an auditor needs besides who, what and when. Never the text of a message. */
export type AuditMetadata = Readonly<Record<string, string | number | boolean | null>>;

/** What was done, and to what. */
export interface AuditedAction {
  readonly action: AuditAction;
  /** As in the API: `Room`, `User`, `Message`. */
  readonly targetType: string;
  /** The UUID of the target, where it has one; it is shown as its public id. */
  readonly targetId: string | null;
  readonly metadata: AuditMetadata;
}

/** Who did it and from where; no actor for what Prosa did by itself. */
export interface AuditedBy {
  readonly actor: Pick<Actor, 'id' | 'name' | 'role'> | null;
  readonly origin: Origin;
}

/** The audit trail as a use case has it: entries are the caller's. */
export interface AuditTrail {
  /** Days for which entries are kept, whoever wants to purge them. */
  readonly keepDays: number;
  /** As `recordAudit`. */
  record(tx: TenantTransaction, action: AuditedAction): void;
}

/** @param onCommitted called for each action once it is committed. */
export function auditTrailOf(by: AuditedBy, keepDays: number, onCommitted: OnCommitted): AuditTrail {
  return new CallersTrail(by, keepDays, onCommitted);
}

type OnCommitted = (action: AuditedAction) => void;

/** A class, as each subscription that is open has one. */
class CallersTrail implements AuditTrail {
  readonly keepDays: number;
  readonly #by: AuditedBy;
  readonly #onCommitted: OnCommitted;

  constructor(by: AuditedBy, keepDays: number, onCommitted: OnCommitted) {
    this.keepDays = keepDays;
    this.#by = by;
    this.#onCommitted = onCommitted;
  }

  record(tx: TenantTransaction, action: AuditedAction): void {
    recordAudit(tx, this.#by, action);
    tx.afterCommit(() => this.#onCommitted(action));
  }
}

/** One link of a tenant's chain, as it is hashed and stored. */
export interface AuditLink {
  readonly number: bigint;
  readonly id: string;
  readonly actorId: string | null;
  readonly actorName: string | null;
  readonly actorRole: string | null;
  readonly action: string;
  readonly targetType: string;
  readonly targetId: string | null;
  readonly metadata: AuditMetadata;
  readonly requestId: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly previousHash: string;
}

/** SHA-256, in hexadecimal, over the canonical form of a link: a JSON array of its fields, `metadata` by sorted keys. */
export function hashOfLink(tenantId: string, link: AuditLink): string {
  const form = [
    'v1',
    tenantId,
    link.number.toString(),
    link.id,
    link.actorId,
    link.actorName,
    link.actorRole,
    link.action,
    link.targetType,
    link.targetId,
    Object.entries(link.metadata).sort(([one], [other]) => (one < other ? -1 : 1)),
    link.requestId,
    link.address,
    link.userAgent,
    link.createdAt.toISOString(),
    link.previousHash,
  ];
  return createHash('sha256').update(JSON.stringify(form)).digest('hex');
}

type Pending = AuditedBy & { readonly what: AuditedAction };

const pendingOf = new WeakMap<TenantTransaction, Pending[]>();

/**
 * Writes an action to the tenant's audit trail, in the transaction that does it: both are there, or neither. The entries
 * of a transaction are written together right before its commit, because they take the lock of the tenant's chain: last of
 * all locks, and held for two statements only.
 */
export function recordAudit(tx: TenantTransaction, by: AuditedBy, what: AuditedAction): void {
  const pending = pendingOf.get(tx);
  if (pending) {
    pending.push({ ...by, what });
    return;
  }
  const entries: Pending[] = [{ ...by, what }];
  pendingOf.set(tx, entries);
  tx.beforeCommit(async () => {
    pendingOf.delete(tx);
    await append(tx, entries);
  });
}

async function append(tx: TenantTransaction, entries: readonly Pending[]): Promise<void> {
  const [head] = await tx.query(advanceHead, entries.length);
  if (!head) throw new Error('an upsert gave no row');
  let { hash } = head;
  const links = entries.map(({ actor, origin, what }, index) => {
    const link: AuditLink = {
      number: head.number - BigInt(entries.length - 1 - index),
      id: newId(),
      actorId: actor?.id ?? null,
      actorName: actor?.name ?? null,
      actorRole: actor?.role ?? null,
      ...what,
      requestId: origin.requestId,
      address: origin.address,
      userAgent: origin.userAgent,
      createdAt: head.at,
      previousHash: hash,
    };
    hash = hashOfLink(tx.tenantId, link);
    return { ...link, hash };
  });
  await tx.query(
    insertLinks,
    links.map((link) => link.number),
    links.map((link) => link.id),
    links.map((link) => link.actorId),
    links.map((link) => link.actorName),
    links.map((link) => link.actorRole),
    links.map((link) => link.action),
    links.map((link) => link.targetType),
    links.map((link) => link.targetId),
    links.map((link) => JSON.stringify(link.metadata)),
    links.map((link) => link.requestId),
    links.map((link) => link.address),
    links.map((link) => link.userAgent),
    head.at,
    links.map((link) => link.previousHash),
    links.map((link) => link.hash),
    hash,
  );
}

// Takes the lock of the chain. The hash stays that of the entry before, until the entries are there.
const advanceHead = sql<{ number: bigint; hash: string; at: Date }>(
  'auditTrail.advanceHead',
  `INSERT INTO audit_heads AS head (tenant_id, number, at) VALUES ($1, $2, clock_timestamp())
   ON CONFLICT (tenant_id) DO UPDATE SET number = head.number + $2, at = greatest(head.at, clock_timestamp())
   RETURNING number, hash, at`,
);

const insertLinks = sql<never>(
  'auditTrail.insertLinks',
  `WITH head AS (UPDATE audit_heads SET hash = $17 WHERE tenant_id = $1)
   INSERT INTO audit_entries (tenant_id, number, id, actor_id, actor_name, actor_role, action, target_type, target_id,
     metadata, request_id, address, user_agent, created_at, previous_hash, hash)
   SELECT $1, number, id, actor_id, actor_name, actor_role, action, target_type, target_id, metadata::jsonb, request_id,
     address, user_agent, $14::timestamptz, previous_hash, hash
   FROM unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
     $10::text[], $11::text[], $12::text[], $13::text[], $15::text[], $16::text[])
     AS link(number, id, actor_id, actor_name, actor_role, action, target_type, target_id, metadata, request_id, address,
       user_agent, previous_hash, hash)`,
);
