import { builder } from '../../graphql/builder.ts';
import { type Context, callerOf } from '../../graphql/context.ts';
import { SocketRequiredError, UnauthenticatedError, ValidationError } from '../../kernel/errors.ts';
import { Viewer } from './identity.graphql.ts';
import { identityRules } from './identity.rules.ts';

builder.relayMutationField(
  'renewToken',
  {
    description: 'The newer token.',
    inputFields: (t) => ({
      token: t.string({ required: true, description: "The host product's token for the same tenant and subject." }),
    }),
  },
  {
    access: identityRules.viewer,
    description:
      'Goes on with a newer token, over the WebSocket whose token it replaces: the socket and its subscriptions stay open until the newer one ends, and what it grants holds from now on. Subscriptions that it does not allow end with the error.',
    errors: { types: [ValidationError, SocketRequiredError] },
    resolve: async (_root, { input }, context) => {
      await renew(context, input.token);
      return { actorId: callerOf(context).actor.id };
    },
  },
  {
    description: 'The socket goes on.',
    outputFields: (t) => ({
      viewer: t.field({
        type: Viewer,
        description: 'Who asks, as the newer token says.',
        resolve: ({ actorId }) => ({ actorId }),
      }),
    }),
  },
);

/** @throws SocketRequiredError, ValidationError */
async function renew({ renewToken }: Context, token: string): Promise<void> {
  if (!renewToken) throw new SocketRequiredError();
  try {
    await renewToken(token);
  } catch (error) {
    // The token in use is still good: it is the argument that is wrong.
    throw error instanceof UnauthenticatedError ? new ValidationError('input.token', error.message) : error;
  }
}
