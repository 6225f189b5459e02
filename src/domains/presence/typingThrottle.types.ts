/** Decides what is worth telling, for all processes together. It forgets by itself. */
export interface TypingThrottle {
  /**
   * Whether to tell: a start or a stop at once (up to a burst), going on only when the last time is long enough ago, and
   * stopping only after a start.
   */
  admit(place: { tenantId: string; roomId: string; actorId: string }, typing: boolean): Promise<boolean>;
}

export interface ThrottleLimits {
  readonly throttle: number;
  readonly expiry: number;
  readonly burst: number;
}
