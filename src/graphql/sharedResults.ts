import { randomUUID } from 'node:crypto';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';

/** What an operation gave for an event, executed and written as JSON once for all who asked the same. */
export interface SharedResult {
  readonly json: string;
  /** The same in UTF-8, one character for each byte: what a socket takes as latin1. */
  readonly bytes: string;
  /** The subscriber was told to resync, and its subscription ends. */
  readonly tooSlow: boolean;
  /** When its message was committed, in milliseconds of the clock; null for other events. */
  readonly sentAt: number | null;
}

/** Stands for the cursor of an event in a stream over many rooms: that is the subscriber's own, and put in afterwards. */
export const cursorPlaceholder = randomUUID();

export interface Executed {
  readonly json: string;
  readonly failed: boolean;
  /** A fault of ours, such as a database that is away: the event could not be shown to anybody as it is. */
  readonly fault: GraphQLError | null;
  /** The actors who are shown something else, and for whom it is executed apart; null for nobody. */
  readonly setApart: SetApart | null;
}

export interface SetApart {
  readonly ids: ReadonlySet<string>;
  /** What their ids end with: who has another one is none of them, which is known without a look at who it is. */
  readonly marks: readonly number[];
}

/** The end of an id, as a number. */
export function markOf(actorId: string): number {
  return Number.parseInt(actorId.slice(-7), 16);
}

/** Waits for what is being executed. */
interface Waiting {
  readonly subscriber: {
    /** @param own executed for this subscriber itself. */
    settle(event: object, executed: Executed, shown: Shown, own: boolean): void;
    done(error?: unknown): void;
  };
  /** As this subscriber got it. */
  readonly event: object;
}

/** An event as an operation shows it: executed, or about to be, with those who wait for it in the order in which they came. */
export interface Shown {
  executed: Executed | null;
  /** The same for all who get it; null in a stream over many rooms. */
  result: SharedResult | null;
  readonly waiting: Waiting[];
}

export interface Operation {
  readonly key: string;
  /** Of the first subscriber; those of the others differ in who asks and in where they start, which is no matter here. */
  readonly args: ExecutionArgs;
  /** What it shows of other messages than that of an event; see `ofOtherMessages`. */
  readonly otherMessages: 'ANY' | 'REPLIED_TO' | null;
  subscribers: number;
  /** What was last handed to a subscriber, which is most often what the next one gets. */
  last: { readonly event: object; readonly shown: Shown } | null;
  /** By room and version for durable events, by the event itself for others. */
  readonly byVersion: Map<string, Shown>;
  readonly byEvent: WeakMap<object, Shown>;
}

/** @returns a result that nobody shares. */
export function resultOf(executed: ExecutionResult): SharedResult {
  return toResult(JSON.stringify(executed), {});
}

export function toResult(json: string, event: object): SharedResult {
  const { type, reason, message } = Object(event);
  return {
    json,
    bytes: Buffer.byteLength(json) === json.length ? json : Buffer.from(json).toString('latin1'),
    tooSlow: type === 'RESYNC' && reason === 'TOO_SLOW',
    sentAt: type === 'MESSAGE_ADDED' ? message.createdAt.getTime() : null,
  };
}

/** What makes two events the same for an operation; null where only the event itself does. */
export function versionKey({ otherMessages }: Operation, event: object): string | null {
  if (!('version' in event && 'roomId' in event)) return null;
  if (otherMessages !== null && 'replayed' in event && (otherMessages === 'ANY' || isReply(event))) return null;
  return `${event.roomId}:${event.version}${isOfManyRooms(event) ? ':many' : ''}${messageState(event)}`;
}

/** A replay shows a message as it is by then: what it said before an edit or its deletion must not be given again. */
function messageState(event: object): string {
  if (!('message' in event)) return '';
  const { editedAt, deletedAt } = Object(event.message);
  return `:${Number(editedAt)}:${Number(deletedAt)}`;
}

function isReply(event: object): boolean {
  return 'message' in event && Object(event.message).replyToId !== null;
}

export function isOfManyRooms(event: object): event is { readonly cursor: string } {
  return 'manyRooms' in event && event.manyRooms === true;
}
