import type { Actor } from '../../kernel/actor.ts';
import { ForbiddenError, MessageDeletedError, NotFoundError } from '../../kernel/errors.ts';
import { decodeId } from '../../kernel/ids.ts';
import { parseText } from '../../kernel/text.ts';

export const messageRules = {
  read: { permission: 'message:read' },
  send: { permission: 'message:create' },
  edit: { permission: 'message:update' },
  delete: { permission: 'message:delete' },
  moderate: { permission: 'message:moderate' },
} as const;

/** Characters of a body: as much as the largest of the peers takes, so that imports fit. */
export const maxBodyLength = 40_000;
export const maxNonceLength = 64;
/** People whom one message can mention; naming more is better done by mentioning the room. */
export const maxMentions = 50;

/** @throws ValidationError */
export function parseBody(body: string): string {
  return parseText('input.body', body, { min: 1, max: maxBodyLength });
}

/** @throws ValidationError */
export function parseNonce(nonce: string): string {
  return parseText('input.nonce', nonce, { min: 1, max: maxNonceLength });
}

export interface Mentions {
  /** Actors named as `<@user_…>` or `<@svc_…>`, each once; whether they are members is not known here. */
  readonly actorIds: readonly string[];
  /** The whole room, named as `<!room>`. */
  readonly room: boolean;
}

const mentionPattern = /<@((?:user|svc)_[0-9a-z]{26})>/g;

/** Who is mentioned in a body. */
export function findMentions(body: string): Mentions {
  if (!body.includes('<')) return { actorIds: [], room: false };
  const ids = [...body.matchAll(mentionPattern)].map((match) => decodeId(match[1] ?? '')?.uuid);
  return { actorIds: [...new Set(ids.filter((id) => id !== undefined))], room: body.includes('<!room>') };
}

type Stored = { readonly authorId: string; readonly kind: string; readonly deletedAt: Date | null };

/** @throws NotFoundError for a report of the system, ForbiddenError, MessageDeletedError */
export function requireEditable(actor: Actor, message: Stored): void {
  if (message.kind === 'SYSTEM') throw new NotFoundError('message that can be edited', 'input.messageId');
  if (message.authorId !== actor.id) throw new ForbiddenError(messageRules.edit.permission);
  if (message.deletedAt) throw new MessageDeletedError();
}

/** The rule for deleting this message: one's own, or another's. @throws NotFoundError for a report of the system. */
export function deletionRule(actor: Actor, message: Stored) {
  if (message.kind === 'SYSTEM') throw new NotFoundError('message that can be deleted', 'input.messageId');
  return message.authorId === actor.id ? messageRules.delete : messageRules.moderate;
}
