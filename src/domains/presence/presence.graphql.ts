import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { defineLoader, resetLoaders } from '../../graphql/loaders.ts';
import { ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { followPresence, loadPresence, setPresence } from './following.service.ts';
import { maxWatched, parseTarget, presenceRules } from './presence.rules.ts';
import type { PresenceState } from './presence.types.ts';

const presenceLoader = defineLoader<string, PresenceState>(loadPresence);

const PresenceStatus = builder.enumType('PresenceStatus', {
  description: 'Whether somebody is there.',
  values: {
    ONLINE: { description: 'At least one connection is open, and in use.' },
    AWAY: { description: 'Connections are open, and all of them say to be away.' },
    OFFLINE: { description: 'No connection has been open for some seconds.' },
  } as const,
});

const ActiveStatus = builder.enumType('ActiveStatus', {
  description: 'What a client says of its user.',
  values: {
    ONLINE: { description: 'The client is in use.' },
    AWAY: { description: 'The client is open, and its user does something else.' },
  } as const,
});

const Presence = builder.objectRef<PresenceState>('Presence').implement({
  description:
    'Whether somebody is there, over all their tabs and devices. Only WebSocket connections count; after the last one closes it takes some seconds, so that a reload does not show.',
  fields: (t) => ({
    status: t.expose('status', { type: PresenceStatus, description: 'Whether they are there.' }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When they were last there; null while they are, or if they never were.',
    }),
  }),
});

builder.prismaInterfaceField(Actor, 'presence', (t) =>
  t.field({
    type: Presence,
    description: 'Whether they are there.',
    resolve: (actor, _args, context) => presenceLoader(context).load(actor.id),
  }),
);

const PresenceChanged = builder.objectRef<PresenceState>('PresenceChanged').implement({
  description: 'How somebody is present from now on. State, not history: it has no cursor and is not replayed.',
  fields: (t) => ({
    actor: t.field({
      type: Actor,
      description: 'Who it is.',
      resolve: ({ actorId }, _args, context) => loadActor(context, actorId),
    }),
    presence: t.field({ type: Presence, description: 'Whether they are there.', resolve: (state) => state }),
  }),
});

builder.subscriptionField('presence', (t) =>
  t.field({
    type: PresenceChanged,
    access: presenceRules.read,
    description: `Who is there: first of each watched person as it is now, then its changes. Give either \`roomId\` or \`userIds\`. When many things happen at once a slow client gets the newest state of each. Ends when the room is archived, or the viewer cannot see its members any more.`,
    args: {
      roomId: t.arg.id({
        description: `Watches the members of this room, also those who join later: up to ${maxWatched}, those who joined first.`,
      }),
      userIds: t.arg.idList({ description: `Watches these people: up to ${maxWatched}.` }),
    },
    subscribe: (_root, { roomId, userIds }, context) =>
      followPresence(
        callerOf(context),
        parseTarget(
          roomId == null ? null : parseId('Room', roomId, 'roomId'),
          userIds?.map((id) => parseId('User', id, 'userIds')) ?? null,
        ),
      ),
    resolve: (state, _args, context) => {
      resetLoaders(context);
      presenceLoader(context).prime(state.actorId, state);
      return state;
    },
  }),
);

builder.relayMutationField(
  'setPresence',
  {
    description: 'What the client says of its user.',
    inputFields: (t) => ({
      status: t.field({ type: ActiveStatus, required: true, description: 'Whether the client is in use.' }),
    }),
  },
  {
    access: presenceRules.set,
    description:
      "Says that the viewer is away, or back. Over a WebSocket it is said of this connection; over HTTP of all the viewer's open connections. Who has none stays offline.",
    errors: { types: [ValidationError] },
    resolve: (_root, { input }, context) => setPresence(callerOf(context), context.connectionId, input.status),
  },
  {
    description: 'It is set.',
    outputFields: (t) => ({
      presence: t.field({
        type: Presence,
        description: "The viewer's presence over all connections.",
        resolve: (state) => state,
      }),
    }),
  },
);
