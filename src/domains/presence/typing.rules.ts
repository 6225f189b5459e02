/** All in milliseconds. */
export interface TypingTimes {
  /** Who goes on typing is told at most this often, whatever the client sends. */
  readonly throttle: number;
  /** What is not renewed for this long has ended. Two throttles and some: one renewal may get lost. */
  readonly expiry: number;
}

export const typingTimes: TypingTimes = { throttle: 2_500, expiry: 6_000 };

/** Starts and stops that are told at once within a throttle, per person and room; more of them is no typing. */
export const typingBurst = 4;
