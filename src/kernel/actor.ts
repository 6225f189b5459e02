export type TenantRole = 'ADMIN' | 'SUPERVISOR' | 'AGENT' | 'SERVICE';
export type RoomRole = 'OWNER' | 'MODERATOR' | 'MEMBER';
export type RoomKind = 'DIRECT' | 'GROUP' | 'CHANNEL' | 'CONVERSATION';

/** Who acts: a signed-in user or service account, always inside one tenant. */
export interface Actor {
  readonly tenantId: string;
  readonly id: string;
  readonly kind: 'USER' | 'SERVICE_ACCOUNT';
  readonly role: TenantRole;
  readonly name: string;
  /** Permissions that the token grants beyond those of the role. */
  readonly permissions: ReadonlySet<string>;
  /** What the role grants in this tenant; absent: what it grants in every tenant that has decided nothing else. */
  readonly grants?: ReadonlySet<string>;
  /** When the token ends, in milliseconds since 1970; open subscriptions end with it. */
  readonly expiresAt: number;
}
