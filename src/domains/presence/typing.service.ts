import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Bus } from '../../events/bus.ts';
import type { LiveDelivery } from '../../events/live.ts';
import type { Logger } from '../../kernel/logger.ts';
import { createLatestQueue, type LatestQueue } from './latest.queue.ts';
import type { Typing, TypingChange, TypingFollower } from './presence.types.ts';
import { typingLimits } from './typing.rules.ts';
import type { TypingLimits, TypingThrottle } from './typingThrottle.types.ts';

/** A room as this process listens to its typing: one bus subscription, however many followers. */
interface Place {
  readonly followers: Map<LatestQueue<TypingChange>, TypingFollower>;
  /** Who types, with the timer that ends it. */
  readonly typists: Map<string, { readonly expiresAt: Date; readonly timer: NodeJS.Timeout }>;
  close(): void;
}

const hint = z.object({ actorId: z.string(), typing: z.boolean() });

/** A pause before a room's events are followed again, after that has failed. */
const retryAfter = 500;

/** A process's part in who types where. */
export function createTyping(deps: {
  throttle: TypingThrottle;
  bus: Bus;
  live: Pick<LiveDelivery, 'room'>;
  log: Logger;
  limits?: TypingLimits;
}): Typing {
  const { throttle, bus, live, log, limits = typingLimits } = deps;
  const places = new Map<string, Place>();
  const channelOf = (tenantId: string, roomId: string) => `typing:${tenantId}:${roomId}`;

  function openPlace(tenantId: string, roomId: string, since: bigint): Place {
    const channel = channelOf(tenantId, roomId);
    const followers: Place['followers'] = new Map();
    const typists: Place['typists'] = new Map();
    let closed = false;
    let events: ReturnType<LiveDelivery['room']> | null = null;

    function hand(change: TypingChange): void {
      for (const [queue, { actorId }] of followers) if (actorId !== change.actorId) queue.push(change.actorId, change);
    }

    function start(actorId: string): void {
      clearTimeout(typists.get(actorId)?.timer);
      const timer = setTimeout(stop, limits.expiry, actorId);
      timer.unref();
      const expiresAt = new Date(Date.now() + limits.expiry);
      typists.set(actorId, { expiresAt, timer });
      hand({ actorId, typing: true, expiresAt });
    }

    function stop(actorId: string): void {
      const typist = typists.get(actorId);
      if (!typist) return;
      clearTimeout(typist.timer);
      typists.delete(actorId);
      hand({ actorId, typing: false, expiresAt: null });
    }

    async function review(): Promise<void> {
      await Promise.all(
        [...followers].map(async ([queue, { mayStay }]) => {
          if (!(await mayStay())) queue.end();
        }),
      );
    }

    /** A message ends its author's typing; who is removed neither types nor follows any more. */
    async function followRoom(): Promise<void> {
      for (let after = since; !closed; ) {
        events = live.room(tenantId, roomId, after);
        try {
          for await (const event of events) {
            if (event.type === 'MESSAGE_ADDED') stop(event.message.authorId);
            else if (event.type === 'ROOM_UPDATED' || event.type === 'RESYNC') await review();
            else if (event.type === 'MEMBER_REMOVED') {
              stop(event.memberId);
              for (const [queue, { actorId }] of followers) if (actorId === event.memberId) queue.end();
            }
            // Only now: what failed is followed again from this event on.
            if ('version' in event) after = event.version;
          }
        } catch (error) {
          log.warn({ err: error }, "a room's events could not be followed for its typing; trying again");
        }
        if (!closed) await delay(retryAfter, undefined, { ref: false });
      }
    }

    const subscription = bus.subscribe(channel, (payload) => {
      const parsed = hint.safeParse(JSON.parse(payload));
      if (!parsed.success) log.error({ err: parsed.error }, 'a hint of typing could not be read');
      else if (parsed.data.typing) start(parsed.data.actorId);
      else stop(parsed.data.actorId);
    });
    subscription.catch((error: unknown) => {
      log.warn({ err: error }, 'typing could not be subscribed to');
      place.close();
    });
    const place: Place = {
      followers,
      typists,
      close() {
        if (closed) return;
        closed = true;
        if (places.get(channel) === place) places.delete(channel);
        for (const { timer } of typists.values()) clearTimeout(timer);
        for (const queue of [...followers.keys()]) queue.end();
        void events?.return?.();
        subscription.then(
          (unsubscribe) => unsubscribe(),
          () => undefined,
        );
      },
    };
    void followRoom();
    return place;
  }

  return {
    async tell(tenantId, roomId, actorId, typing) {
      try {
        if (!(await throttle.admit({ tenantId, roomId, actorId }, typing, limits))) return;
        bus.publish(channelOf(tenantId, roomId), JSON.stringify({ actorId, typing }));
      } catch (error) {
        // Without Redis nobody can be told anyway, and in a few seconds it does not matter any more.
        log.debug({ err: error }, 'typing was not told');
      }
    },
    follow(tenantId, roomId, follower) {
      const channel = channelOf(tenantId, roomId);
      const place = places.get(channel) ?? openPlace(tenantId, roomId, follower.since);
      places.set(channel, place);
      const queue = createLatestQueue<TypingChange>(() => {
        place.followers.delete(queue);
        if (place.followers.size === 0) place.close();
      });
      place.followers.set(queue, follower);
      for (const [actorId, { expiresAt }] of place.typists) {
        if (actorId !== follower.actorId) queue.push(actorId, { actorId, typing: true, expiresAt });
      }
      return queue;
    },
    close() {
      for (const place of places.values()) place.close();
    },
  };
}
