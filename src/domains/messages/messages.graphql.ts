import type { PageArgs } from '../../db/pages.ts';
import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { callerOf } from '../../graphql/context.ts';
import { defineLoader, definePageLoader } from '../../graphql/loaders.ts';
import { registerNode } from '../../graphql/nodes.ts';
import { ofOneViewer, ofOtherMessages, ofRepliedTo, onlyFor, viewerDependent } from '../../graphql/viewerDependent.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { Room, roomLookAhead, shownRoomLoader, withView } from '../rooms/rooms.graphql.ts';
import {
  editCursor,
  listEdits,
  listMessages,
  listReplies,
  loadLastMessages,
  loadMentions,
  loadMessages,
  loadRepliedTo,
  type MessageRecord,
  readable,
} from './messages.service.ts';

const messageLoader = defineLoader<string, MessageRecord | null>(loadMessages);
const repliedToLoader = defineLoader(loadRepliedTo);
const mentionLoader = defineLoader<string, string[]>(loadMentions);
const messagePages = definePageLoader(listMessages);
const replyPages = definePageLoader(listReplies);
const editPages = definePageLoader(listEdits);
const lastMessageLoader = defineLoader<{ roomId: string; seq: bigint }, MessageRecord | null>(
  loadLastMessages,
  (place) => `${place.roomId}:${place.seq}`,
);

const MessageKind = builder.enumType('MessageKind', {
  description: 'What a message is.',
  values: {
    TEXT: { description: 'Text.' },
    MENTION: { description: 'Text that mentions members, or the whole room.' },
    FILE: { description: 'A file.' },
    SYSTEM: { description: 'A report of what happened in the room, as in `systemEvent`; never unread.' },
  } as const,
});

const SystemEvent = builder.enumType('SystemEvent', {
  description: 'What a message of kind SYSTEM reports; its body says it in English.',
  values: {
    MEMBER_JOINED: { description: 'The author joined.' },
    MEMBER_LEFT: { description: 'The author left.' },
    MEMBER_ADDED: { description: 'The author added members.' },
    MEMBER_REMOVED: { description: 'The author removed a member.' },
    ROOM_RENAMED: { description: 'The author renamed the room.' },
    TOPIC_CHANGED: { description: 'The author changed the topic.' },
    ROOM_ARCHIVED: { description: 'The author archived the room.' },
    ROOM_UNARCHIVED: { description: 'The author brought the room back.' },
    OTHER: { description: 'Something else, as its body says.' },
  } as const,
});

const MessageEdit = builder.prismaObject('MessageEdit', {
  description: 'What a message said before an edit.',
  fields: (t) => ({
    body: t.exposeString('body', { description: 'What it said until then.' }),
    replacedAt: t.expose('replacedAt', { type: 'DateTime', description: 'When it was replaced.' }),
    editor: t.relation('editor', { type: Actor, description: 'Who replaced it.' }),
  }),
});

const messageCursor = (message: MessageRecord) => roomPosition(message.roomId, message.seq);

export const Message = builder.prismaNode('Message', {
  description: 'A message. Its place in the room never changes, whatever happens to it.',
  id: { resolve: (message) => message.id },
  findUnique: (id, context) => ({ tenantId_id: { tenantId: callerOf(context).actor.tenantId, id } }),
  fields: (t) => ({
    kind: t.expose('kind', { type: MessageKind, description: 'What it is.' }),
    systemEvent: t.expose('systemEvent', {
      type: SystemEvent,
      nullable: true,
      description: 'What a message of kind SYSTEM reports; null in others.',
    }),
    room: t.field({
      type: Room,
      description: 'Where it was sent.',
      resolve: (message, _args, context) => shownRoomLoader(context).load(message.roomId),
    }),
    author: t.field({
      type: Actor,
      description: 'Who sent it, or did what it reports.',
      resolve: (message, _args, context) => loadActor(context, message.authorId),
    }),
    body: t.string({
      nullable: true,
      description:
        'Simple Markdown. `<@user_…>` mentions a member, `<!room>` everybody in the room. Null once it is deleted.',
      resolve: (message) => (message.deletedAt ? null : message.body),
    }),
    nonce: t.string({
      nullable: true,
      extensions: ofOneViewer,
      description: 'What its sender gave with it, to recognise it; null for others than the sender.',
      resolve: (message, _args, context) => onlyFor(context, message.authorId, message.nonce),
    }),
    cursor: t.string({
      description: 'Its place in the room: as the cursors of `Room.messages`, and of what subscriptions give.',
      resolve: messageCursor,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was sent.' }),
    editedAt: t.expose('editedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last edited; null if it never was.',
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted; null if it was not.',
    }),
    mentions: t.field({
      type: [Actor],
      description: 'The members whom it mentions: up to 50.',
      resolve: async (message, _args, context) => {
        if (message.kind !== 'MENTION' && message.kind !== 'FILE') return [];
        const ids = await mentionLoader(context).load(message.id);
        return Promise.all(ids.map((id) => loadActor(context, id)));
      },
    }),
    mentionsRoom: t.exposeBoolean('mentionsRoom', { description: 'Whether it mentions everybody in the room.' }),
    edits: t.connection(
      {
        type: MessageEdit,
        description: 'What it said before, the oldest first; empty once it is deleted.',
        resolve: async (message, args, context) => {
          const page = await editPages(context, args).load(message.id);
          return connectionOf(message.deletedAt ? { ...page, rows: [] } : page, editCursor);
        },
      },
      { name: 'MessageEditsConnection', description: 'A page of former bodies.' },
      { name: 'MessageEditsEdge', description: 'A former body in a page.' },
    ),
  }),
});

builder.prismaObjectFields(Message, (t) => ({
  replyTo: t.field({
    type: Message,
    nullable: true,
    extensions: ofRepliedTo,
    description: 'What it replies to; null if it is no reply.',
    resolve: (message, _args, context) => (message.replyToId ? repliedToLoader(context).load(message.replyToId) : null),
  }),
  replies: t.connection(
    {
      type: Message,
      extensions: ofOtherMessages,
      description: 'The replies to it, in the order of the room.',
      resolve: async (message, args, context) =>
        connectionOf(await replyPages(context, args).load(message), messageCursor),
    },
    { name: 'MessageRepliesConnection', description: 'A page of replies.' },
    { name: 'MessageRepliesEdge', description: 'A reply in a page.' },
  ),
}));

registerNode('Message', (context, id) => messageLoader(context).load(id));

builder.prismaObjectField(Room, 'lastMessage', (t) =>
  t.field({
    type: Message,
    nullable: true,
    extensions: { ...viewerDependent, ...ofOtherMessages },
    description:
      'The newest message that is not deleted and no report, for a preview; null if there is none, or if the viewer may not read the messages.',
    resolve: (room, _args, context) =>
      withView<MessageRecord | null>(context, room, (view) => {
        if (!view || view.room.lastMessageSeq === null || !readable(callerOf(context), view)) return null;
        if (view.preview !== undefined) return view.preview;
        return lastMessageLoader(context).load({ roomId: room.id, seq: view.room.lastMessageSeq });
      }),
  }),
);

builder.prismaObjectField(Room, 'messages', (t) =>
  t.connection(
    {
      type: Message,
      nullable: true,
      extensions: { ...viewerDependent, ...ofOtherMessages },
      description:
        'The messages in their order; without arguments the newest 50. Null if the viewer may not read them, as in a channel that is not joined.',
      resolve: async (room, args, context) => {
        const open = await withView(context, room, (view) => view !== null && readable(callerOf(context), view));
        return open ? connectionOf(await messagePages(context, args).load(room.id), messageCursor) : null;
      },
    },
    { name: 'RoomMessagesConnection', description: 'A page of messages.' },
    { name: 'RoomMessagesEdge', description: 'A message in a page.' },
  ),
);

// Also for who turns out not to read them: then they are not shown.
roomLookAhead.on<PageArgs>('messages', (context, roomId, args) => messagePages(context, args).load(roomId));
