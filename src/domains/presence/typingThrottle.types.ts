/** Times in milliseconds. */
export interface TypingLimits {
  /** Who goes on typing is told at most this often, whatever the client sends. */
  readonly throttle: number;
  /** What is not renewed for this long has ended. Two throttles and some: one renewal may get lost. */
  readonly expiry: number;
  /** Starts and stops that are told at once within a throttle, per person and room; more of them is no typing. */
  readonly burst: number;
}

interface TypingPlace {
  readonly tenantId: string;
  readonly roomId: string;
  readonly actorId: string;
}

/** Decides what is worth telling, for all processes together. It forgets by itself. */
export interface TypingThrottle {
  /**
   * Whether to tell: a start or a stop at once (up to a burst), going on only when the last time is long enough ago, and
   * stopping only after a start.
   */
  admit(place: TypingPlace, typing: boolean, limits: TypingLimits): Promise<boolean>;
}
