import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { ValidationError } from '../../kernel/errors.ts';
import { embeddingRules, maxFrameAncestors } from './embedding.rules.ts';
import { readFrameAncestors, readTenant, setFrameAncestors, type TenantView } from './embedding.service.ts';
import { Viewer } from './identity.graphql.ts';

const Tenant = builder.objectRef<TenantView>('Tenant').implement({
  description: "A customer of the host product, whose people and rooms nobody else's see.",
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Its name in the host product: the claim `tenant` of its tokens.' }),
    name: t.exposeString('name', { description: 'The name to show.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first seen here.' }),
    frameAncestors: t.stringList({
      description:
        'Origins whose pages may show the pages of this server in frames, where those are opened with `?tenant=` and the key.',
      resolve: async (_tenant, _args, context) => [...(await readFrameAncestors(callerOf(context)))],
    }),
  }),
});

builder.objectField(Viewer, 'tenant', (t) =>
  t.field({
    type: Tenant,
    description: 'The tenant of the token.',
    resolve: (_viewer, _args, context) => readTenant(callerOf(context)),
  }),
);

builder.relayMutationField(
  'setEmbedding',
  {
    description: 'Where.',
    inputFields: (t) => ({
      frameAncestors: t.stringList({
        required: true,
        description: `Up to ${maxFrameAncestors} origins, such as \`https://app.acme.example\` or \`https://*.acme.example\`; none for nowhere.`,
      }),
    }),
  },
  {
    access: embeddingRules.set,
    description:
      'Says which sites may show the pages of this server in frames, in place of those said before. It goes for pages that are opened with `?tenant=` and the key; any other can be framed by nobody.',
    errors: { types: [ValidationError] },
    resolve: async (_root, { input }, context) => {
      const caller = callerOf(context);
      await setFrameAncestors(caller, input.frameAncestors);
      return { tenant: await readTenant(caller) };
    },
  },
  {
    description: 'It holds for pages that are opened from now on.',
    outputFields: (t) => ({
      tenant: t.field({ type: Tenant, description: 'The tenant afterwards.', resolve: ({ tenant }) => tenant }),
    }),
  },
);
