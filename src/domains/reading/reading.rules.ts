/** Reading is part of being a member: whoever may read the messages may say how far. */
export const readingRules = {
  markRead: { permission: 'message:read' },
} as const;
