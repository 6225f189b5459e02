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
      '@graphql-eslint/relay-edge-types': [
        'error',
        {
          // Lists hold more than edges here: `nodes` of every connection, inputs, permissions.
          listTypeCanWrapOnlyEdgeType: false,
          // A membership or a former body is a fact of its room or message: nothing fetches it by an id of its own.
          shouldImplementNode: false,
        },
      ],
      // Only what a client can fetch again has an id: not the containers of Relay, payloads, errors and facts of others.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            // Values and memberships: parts of something that has an id, or answers about it.
            types: [
              ...[
                'PageInfo',
                'Viewer',
                'Tenant',
                'Entitlements',
                'Member',
                'MessageEdit',
                'Presence',
                'PermissionGrant',
              ],
              ...['AuditEntry', 'AuditDetail', 'AuditVerification', 'PurgePreview', 'SilentRoom'],
              ...['GovernancePolicy', 'LegalHold'],
            ],
            suffixes: [
              ...['Connection', 'Edge', 'Payload', 'Error'],
              // Events, which pass and are named for what happened.
              ...[
                'Added',
                'Edited',
                'Updated',
                'Deleted',
                'Removed',
                'Moved',
                'Required',
                'Changed',
                'Purged',
                'Restored',
              ],
            ],
          },
        },
      ],
    },
  },
];
