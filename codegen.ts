import type { CodegenConfig } from '@graphql-codegen/cli';

// The operations that clients use, typed from schema.graphql: what they send and what they get back.
export default {
  schema: 'schema.graphql',
  documents: ['src/web/**/*.graphql', 'src/web/**/*.ts', '!src/web/generated/**', 'test/api/operations/*.graphql'],
  importExtension: '.ts',
  generates: {
    'src/web/generated/': {
      preset: 'client',
      presetConfig: {
        fragmentMasking: false,
        skipIndexFile: true,
        // The manifest from which the server knows them by their hash.
        persistedDocuments: { hashAlgorithm: 'sha256' },
      },
      config: {
        // Operations travel as text, so a client need not carry graphql-js to print them.
        documentMode: 'string',
        // Node strips types and cannot run an enum.
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        defaultScalarType: 'unknown',
        scalars: { DateTime: 'string' },
      },
    },
  },
} satisfies CodegenConfig;
