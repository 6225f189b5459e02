import graphql from '@graphql-eslint/eslint-plugin';

// ESLint reads schema.graphql only; Biome looks after the code.
const { 'flat/schema-recommended': recommended, 'flat/schema-relay': relay } = graphql.configs;

export default [
  {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: 'schema.graphql' } } },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...recommended.rules,
      ...relay.rules,
      // The preset asks for descriptions of types, directives and root fields only. GraphiQL is the manual: all have one.
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
        },
      ],
      // Lists hold more than edges here: `nodes` of every connection, inputs, and the errors of a payload.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
      // Only what a client can fetch again has an id: not the containers of Relay, payloads, errors and passing events.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            types: ['Query', 'Mutation', 'Subscription', 'PageInfo'],
            suffixes: ['Connection', 'Edge', 'Payload', 'Error'],
          },
        },
      ],
    },
  },
];
