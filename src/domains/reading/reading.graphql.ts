import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { Room, viewOf } from '../rooms/rooms.graphql.ts';
import { readingRules } from './reading.rules.ts';
import { markRead } from './reading.service.ts';

builder.relayMutationField(
  'markRead',
  {
    description: 'How far the viewer has read.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The id of the room.' }),
      messageId: t.id({ description: 'The last message read; left out, everything there is: for opening a room.' }),
    }),
  },
  {
    access: readingRules.markRead,
    description:
      "Moves the viewer's read marker forward, never back, and tells the other members. Its payload can show the room's messages too: opening a room takes one request.",
    errors: { types: [ValidationError, NotFoundError] },
    resolve: async (_root, { input }, context) => {
      const roomId = parseId('Room', input.roomId, 'input.roomId');
      const messageId = input.messageId == null ? undefined : parseId('Message', input.messageId, 'input.messageId');
      await markRead(callerOf(context), roomId, messageId);
      return { roomId };
    },
  },
  {
    description: 'The marker is there, or was further already.',
    outputFields: (t) => ({
      room: t.field({
        type: Room,
        nullable: true,
        description: 'The room with its unread count; null if the viewer cannot see it any more.',
        resolve: async ({ roomId }, _args, context) => (await viewOf(context, roomId))?.room ?? null,
      }),
    }),
  },
);
