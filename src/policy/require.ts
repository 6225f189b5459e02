import type { Actor } from '../kernel/actor.ts';
import { ForbiddenError } from '../kernel/errors.ts';
import { canInRoom, canInTenant, type RoomFacts, type Rule } from './can.ts';

/** @throws ForbiddenError when the actor's role in the tenant does not grant the rule's permission. */
export function requireInTenant(actor: Actor, rule: Rule): void {
  if (!canInTenant(actor, rule.permission)) throw new ForbiddenError(rule.permission);
}

/** @throws ForbiddenError when the actor may not do it in this room, which it can see. */
export function requireInRoom(actor: Actor, rule: Rule, room: RoomFacts): void {
  if (!canInRoom(actor, rule.permission, room)) throw new ForbiddenError(rule.permission);
}
