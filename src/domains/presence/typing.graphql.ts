import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { resetLoaders } from '../../graphql/loaders.ts';
import { NotFoundError, RoomArchivedError, ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { messageRules } from '../messages/messages.rules.ts';
import type { TypingChange } from './presence.types.ts';
import { typingLimits } from './typing.rules.ts';
import { followTyping, setTyping } from './typists.service.ts';

const TypingChanged = builder.objectRef<TypingChange>('TypingChanged').implement({
  description: 'Somebody types, or has stopped. It is never stored, and not replayed.',
  fields: (t) => ({
    actor: t.field({
      type: Actor,
      description: 'Who it is.',
      resolve: ({ actorId }, _args, context) => loadActor(context, actorId),
    }),
    typing: t.exposeBoolean('typing', { description: 'Whether they type.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ends unless they go on, which the server tells; null when it has ended.',
    }),
  }),
});

builder.subscriptionField('typing', (t) =>
  t.field({
    type: TypingChanged,
    access: messageRules.read,
    description: `Who else types in a room. An end is told when they stop, send a message, or have not gone on for ${typingLimits.expiry / 1_000} seconds.`,
    args: { roomId: t.arg.id({ required: true, description: 'The room.' }) },
    subscribe: (_root, { roomId }, context) => followTyping(callerOf(context), parseId('Room', roomId, 'roomId')),
    resolve: (change, _args, context) => {
      resetLoaders(context);
      return change;
    },
  }),
);

builder.relayMutationField(
  'setTyping',
  {
    description: 'Who types is the viewer.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'Where.' }),
      typing: t.boolean({ required: true, defaultValue: true, description: 'False to say that it has ended.' }),
    }),
  },
  {
    access: messageRules.send,
    description: `Says that the viewer types. Send it while they do, as often as you like: it is told at most every ${typingLimits.throttle / 1_000} seconds, and ends by itself. Sending a message ends it too.`,
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError] },
    resolve: async (_root, { input }, context) => {
      await setTyping(callerOf(context), parseId('Room', input.roomId, 'input.roomId'), input.typing);
      return input;
    },
  },
  {
    description: 'It was told, or had been a moment ago.',
    outputFields: (t) => ({
      typing: t.boolean({ description: 'Whether the viewer types.', resolve: ({ typing }) => typing }),
    }),
  },
);
