import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { countsAsSend } from '../../graphql/rateClass.ts';
import { MessageDeletedError, NotFoundError, RoomArchivedError, ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { Message } from './messages.graphql.ts';
import { maxBodyLength, maxMentions, maxNonceLength, messageRules } from './messages.rules.ts';
import { deleteMessage, editMessage, type MessageRecord, sendMessage } from './messages.service.ts';

interface ChangedMessage {
  readonly message: MessageRecord;
  readonly version: bigint;
}

/** The payload that these mutations share. */
const messagePayload = (description: string) => ({
  description,
  outputFields: (t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, ChangedMessage>) => ({
    message: t.field({ type: Message, description: 'The message afterwards.', resolve: ({ message }) => message }),
    cursor: t.string({
      description: 'The place of this change in the room: the event with the same cursor is its echo.',
      resolve: ({ message, version }) => roomPosition(message.roomId, version),
    }),
  }),
});

const bodyDescription = `Simple Markdown, 1 to ${maxBodyLength} characters after trimming. \`<@user_…>\` mentions a member (up to ${maxMentions}), \`<!room>\` everybody.`;
const messageIdField = { required: true, description: 'The id of the message.' } as const;

builder.relayMutationField(
  'sendMessage',
  {
    description: 'The message.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'Where to send it.' }),
      body: t.string({ required: true, description: bodyDescription }),
      nonce: t.string({
        description: `Chosen by the client, up to ${maxNonceLength} characters, and different for each of the viewer's messages in the room. A second send with the same nonce gives the first message.`,
      }),
      replyToId: t.id({ description: 'The message of the same room to which it replies.' }),
    }),
  },
  {
    access: messageRules.send,
    extensions: countsAsSend,
    description: 'Sends a message. When it is answered, the message is stored for good and has its place in the room.',
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, MessageDeletedError] },
    resolve: async (_root, { input }, context) => {
      const message = await sendMessage(callerOf(context), {
        roomId: parseId('Room', input.roomId, 'input.roomId'),
        body: input.body,
        nonce: input.nonce ?? undefined,
        replyToId: input.replyToId == null ? undefined : parseId('Message', input.replyToId, 'input.replyToId'),
      });
      return { message, version: message.seq };
    },
  },
  messagePayload('The message was sent.'),
);

builder.relayMutationField(
  'editMessage',
  {
    description: 'Which message, and what it says from now on.',
    inputFields: (t) => ({
      messageId: t.id(messageIdField),
      body: t.string({ required: true, description: bodyDescription }),
    }),
  },
  {
    access: messageRules.edit,
    extensions: countsAsSend,
    description: "Edits a message of the viewer's own; what it said before stays in `Message.edits`.",
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, MessageDeletedError] },
    resolve: (_root, { input }, context) =>
      editMessage(callerOf(context), parseId('Message', input.messageId, 'input.messageId'), input.body),
  },
  messagePayload('The message was edited.'),
);

builder.relayMutationField(
  'deleteMessage',
  { description: 'Which message.', inputFields: (t) => ({ messageId: t.id(messageIdField) }) },
  {
    access: messageRules.delete,
    description:
      "Deletes a message of the viewer's own, or (with `message:moderate`) another's. Its place stays, without a body. Twice changes nothing.",
    errors: { types: [ValidationError, NotFoundError] },
    resolve: (_root, { input }, context) =>
      deleteMessage(callerOf(context), parseId('Message', input.messageId, 'input.messageId')),
  },
  messagePayload('The message is deleted.'),
);
