import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { LegalHoldError, NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { purgeRules } from './purge.rules.ts';
import { removeMessage } from './removal.service.ts';

builder.relayMutationField(
  'removeMessage',
  {
    description: 'Which message.',
    inputFields: (t) => ({ messageId: t.id({ required: true, description: 'The id of the message.' }) }),
  },
  {
    access: purgeRules.remove,
    description:
      'Removes a message that the viewer can read for good, deleted or not: its place, body, edits and mentions. Replies to it stay, and are replies no more. It cannot be undone; it is audited.',
    errors: { types: [ValidationError, NotFoundError, LegalHoldError] },
    resolve: async (_root, { input }, context) => {
      const { roomId, version } = await removeMessage(
        callerOf(context),
        parseId('Message', input.messageId, 'input.messageId'),
      );
      return { messageId: input.messageId, cursor: roomPosition(roomId, version) };
    },
  },
  {
    description: 'The message is gone.',
    outputFields: (t) => ({
      messageId: t.id({ description: 'The id that it had.', resolve: ({ messageId }) => messageId }),
      cursor: t.string({
        description: 'The place of this change in the room: the event with the same cursor is its echo.',
        resolve: ({ cursor }) => cursor,
      }),
    }),
  },
);
