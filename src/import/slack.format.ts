import { z } from 'zod';

// Slack's export as far as it is used; whatever else is in there is ignored. Slack leaves out what does not apply or
// writes null for it, so every field that is not needed to place the entry may be either.

const text = z.string().nullish();
const id = z.string().min(1).max(200);
const epochSeconds = z.number().int().min(0).max(99_999_999_999).nullish();

/** Seconds since 1970 with up to six decimals: Slack's time, and the message's name within its room. */
const timestampPattern = /^\d{1,11}(\.\d{1,6})?$/;
const timestamp = z.string().regex(timestampPattern, { error: 'is not a time' });

export const userSchema = z.object({
  id,
  name: text,
  real_name: text,
  deleted: z.boolean().nullish(),
  is_bot: z.boolean().nullish(),
  profile: z
    .object({
      real_name: text,
      display_name: text,
      email: text,
      bot_id: text,
      image_512: text,
      image_192: text,
      image_72: text,
    })
    .nullish(),
});

const note = z.object({ value: text }).nullish();

/** Channels, groups, direct and multi-party direct rooms alike. */
export const roomSchema = z.object({
  id,
  name: text,
  created: epochSeconds,
  creator: text,
  is_archived: z.boolean().nullish(),
  members: z.array(id).nullish(),
  topic: note,
  purpose: note,
});

const file = z.object({ name: text, title: text, permalink: text, url_private: text });

export const messageSchema = z.object({
  type: text,
  subtype: text,
  ts: timestamp,
  thread_ts: text,
  parent_user_id: text,
  user: text,
  bot_id: text,
  username: text,
  bot_profile: z.object({ name: text }).nullish(),
  inviter: text,
  text,
  topic: text,
  purpose: text,
  name: text,
  comment: z.object({ user: text }).nullish(),
  edited: z.object({ ts: text }).nullish(),
  file: file.nullish(),
  files: z.array(file).nullish(),
  attachments: z.array(z.object({ title: text, text, fallback: text })).nullish(),
});

export type SlackUser = z.infer<typeof userSchema>;
export type SlackRoom = z.infer<typeof roomSchema>;
export type SlackMessage = z.infer<typeof messageSchema>;

/** Microseconds since 1970, exactly: as a number the last digits would be lost, and they decide the order. */
export function toMicros(time: string | null | undefined): bigint | null {
  if (!time || !timestampPattern.test(time)) return null;
  const [seconds = '0', fraction = ''] = time.split('.');
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

export function toDate(micros: bigint): Date {
  return new Date(Number(micros / 1000n));
}
