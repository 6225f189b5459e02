import type { MessageKind, SystemEvent } from '../db/generated/client.ts';
import { maxBodyLength } from '../domains/messages/messages.rules.ts';
import type { SlackMessage } from './slack.format.ts';
import type { People, Person } from './slack.people.ts';
import { clean, convertText, cut } from './slack.text.ts';

/** What a message of Slack says, apart from its place in the room. */
export interface Content {
  readonly author: Person;
  readonly authorKnown: boolean;
  readonly kind: MessageKind;
  readonly systemEvent: SystemEvent | null;
  /** Empty where there is nothing to show. */
  readonly body: string;
  readonly cut: boolean;
  readonly mentionsRoom: boolean;
  readonly mentionedIds: readonly string[];
}

/** What people and bots wrote. Every other subtype is a report of Slack itself. */
const written: ReadonlySet<string> = new Set([
  '',
  'bot_message',
  'me_message',
  'file_share',
  'file_comment',
  'file_mention',
  'thread_broadcast',
  'reply_broadcast',
  'slackbot_response',
  'assistant_app_thread',
]);

/** The message in the words of Prosa. */
export function convertMessage(message: SlackMessage, people: People): Content {
  const author = findAuthor(message, people);
  const known = { author: author ?? people.nobody(), authorKnown: author !== null };
  if (!written.has(message.subtype ?? '')) {
    const { event, body } = describeEvent(message, known.author.name, people);
    return {
      ...known,
      kind: 'SYSTEM',
      systemEvent: event,
      ...withinLimit(body, ''),
      mentionsRoom: false,
      mentionedIds: [],
    };
  }
  const mentioned = new Set<string>();
  let mentionsRoom = false;
  const text = convertText(textOf(message), {
    mention(slackId) {
      const person = people.user(slackId);
      mentioned.add(person.id);
      return person.mention;
    },
    room() {
      mentionsRoom = true;
      return '<!room>';
    },
  }).trim();
  const files = fileLines(message);
  const kind = files ? 'FILE' : mentionsRoom || mentioned.size > 0 ? 'MENTION' : 'TEXT';
  return {
    ...known,
    kind,
    systemEvent: null,
    ...withinLimit(message.subtype === 'me_message' && text ? `_${text}_` : text, files),
    mentionsRoom,
    mentionedIds: [...mentioned],
  };
}

/** Whether there is nothing to show: such a message need not make its author known. */
export function isEmpty(message: SlackMessage): boolean {
  if (!written.has(message.subtype ?? '')) return false;
  return clean(textOf(message)).trim() === '' && fileLines(message) === '';
}

/** The name of a message's author within the export; part of the message's identity. */
export function authorKey(message: SlackMessage): string {
  return message.user || message.bot_id || message.username || '';
}

function findAuthor(message: SlackMessage, people: People): Person | null {
  const { user, bot_id: botId, username, subtype, comment } = message;
  if (user) return people.user(user);
  if (botId) return people.bot(botId, username || message.bot_profile?.name || botId);
  if (subtype === 'file_comment') {
    // Old exports tell who commented only in the text.
    const commenter = comment?.user || /^<@([UW][A-Z0-9]+)/.exec(message.text ?? '')?.[1];
    if (commenter) return people.user(commenter);
  }
  return username ? people.bot(`name:${username}`, username) : null;
}

/** Bots often say everything in attachments, and nothing in the text. */
function textOf({ text, attachments }: SlackMessage): string {
  if (text?.trim()) return text;
  return (attachments ?? [])
    .map((attachment) => attachment.text || attachment.fallback || attachment.title || '')
    .filter((part) => part !== '')
    .join('\n');
}

function fileLines({ files, file }: SlackMessage): string {
  return (files ?? (file ? [file] : []))
    .map(({ name, title, permalink, url_private: url }) => {
      const label = clean(name || title || 'file').replace(/\s+/g, ' ');
      const address = clean(permalink || url || '');
      return address ? `📎 ${label} (${address})` : `📎 ${label}`;
    })
    .join('\n');
}

/** The text and the lines below it within the limit of a body: the text gives way. */
function withinLimit(text: string, below: string): { body: string; cut: boolean } {
  const lines = cut(below, maxBodyLength);
  const room = maxBodyLength - [...lines].length - 1;
  const shortened = lines === '' ? cut(text, maxBodyLength) : cut(text, Math.max(room, 0));
  const body = [shortened, lines].filter((part) => part !== '').join('\n');
  return { body, cut: shortened !== text || lines !== below };
}

function describeEvent(message: SlackMessage, name: string, people: People): { event: SystemEvent; body: string } {
  const plain = (text: string) =>
    convertText(text, { mention: (slackId) => people.user(slackId).name, room: () => 'everybody' }).trim();
  const { subtype, inviter, topic, purpose } = message;
  // Groups and direct rooms of several have the same reports under names of their own.
  switch (subtype?.replace(/^(group|mpim)_/, 'channel_')) {
    case 'channel_join':
      return {
        event: 'MEMBER_JOINED',
        body: inviter ? `${name} joined, invited by ${people.user(inviter).name}` : `${name} joined`,
      };
    case 'channel_leave':
      return { event: 'MEMBER_LEFT', body: `${name} left` };
    case 'channel_topic':
      return {
        event: 'TOPIC_CHANGED',
        body: topic ? `${name} set the topic to ${plain(topic)}` : `${name} removed the topic`,
      };
    case 'channel_purpose':
      return {
        event: 'OTHER',
        body: purpose ? `${name} set the purpose to ${plain(purpose)}` : `${name} removed the purpose`,
      };
    case 'channel_name':
      return {
        event: 'ROOM_RENAMED',
        body: message.name ? `${name} renamed the room to ${plain(message.name)}` : `${name} renamed the room`,
      };
    case 'channel_archive':
      return { event: 'ROOM_ARCHIVED', body: `${name} archived the room` };
    case 'channel_unarchive':
      return { event: 'ROOM_UNARCHIVED', body: `${name} restored the room` };
    default:
      return { event: 'OTHER', body: plain(message.text ?? '') };
  }
}
