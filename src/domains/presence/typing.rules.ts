import type { TypingLimits } from './typingThrottle.types.ts';

export const typingLimits: TypingLimits = { throttle: 2_500, expiry: 6_000, burst: 4 };
