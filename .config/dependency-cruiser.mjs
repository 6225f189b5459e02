// The house's law of imports: they only go down (docs/decisions.md and the README have the map).
//
//   main and the programs in cli/  >  demo, import  >  server  >  transport, worker  >  graphql/schema  >  *.graphql  >
//   graphql/  >  *.service and the other roles of a domain  >  { *.rules, *.store, policy, events }  >  db  >  kernel
//
// Type-only imports count as imports. test/checks/imports.test.ts plants a violation of every rule below and fails where
// the tool has lost its teeth: a rule without a planted violation there fails that test.

import { Visitor } from '@swc/core/Visitor.js';

/** Lowest first: a domain uses those before it, never one after it. */
const domains = [
  'identity',
  'rooms',
  'attachments',
  'messages',
  'reading',
  'presence',
  'governance',
  'inbox',
  'notifications',
];

/** Programs started by an npm script. Like main they may import anything, and nothing imports them. */
const programs = '^src/main\\.ts$|/cli/';

/** Modules of Node that reach outside the process, or block it. */
const inputAndOutput =
  '^(node:)?(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster|worker_threads|inspector|readline|repl|sqlite|wasi)(/|$)';

/** Whatever talks to a database or to Redis. */
const clients =
  '(^|/)node_modules/(@prisma/|prisma/|pg/|pg-boss/|@electric-sql/|pglite-prisma-adapter/|ioredis/|graphql-redis-subscriptions/)';

/** Modules of db that run statements, as against its cursors, pages and the plain types of the data model. */
const statements = '^src/db/(generated/(?!(enums|models|pothos)(\\.ts|/))|database|engine|sql|migrations)';

const typeOnly = ['type-only'];

const forbidden = [
  {
    name: 'no-cycles',
    comment: 'A cycle has no lower end: move what both need into a third module.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-orphans',
    comment: 'Nothing imports this module and it imports nothing: it is dead, or it is a program and belongs in cli/.',
    from: { orphan: true, path: '^src/', pathNot: [programs, '\\.d\\.ts$'] },
    to: {},
  },
  {
    name: 'only-what-exists',
    comment: 'The import cannot be resolved.',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'only-known-folders',
    comment: 'src/ has the folders of the design; a new one needs its place in this law first.',
    from: {
      path: '^src/(?!(db|demo|domains|events|graphql|import|kernel|policy|transport|web|worker)/|(main|server|config)\\.ts$)',
    },
    to: {},
  },
  {
    name: 'only-known-domains',
    comment: 'A new domain needs its place in the order of domains above; its files are named NAME.ROLE.ts.',
    from: {
      path: `^src/domains/(?!(caller|job)\\.ts$|(${domains.join('|')})/)|^src/domains/[^/]+/(?![A-Za-z]+\\.[A-Za-z]+\\.ts$|cli/)`,
    },
    to: {},
  },
  {
    name: 'no-one-imports-a-program',
    comment: 'A program runs on import.',
    from: {},
    to: { path: programs },
  },
  {
    name: 'server-demo-and-import-are-imported-from-above-only',
    comment: 'server.ts puts the parts together: a part that imports it takes everything with it.',
    from: { path: '^src/', pathNot: ['^src/(demo|import)/', programs] },
    to: { path: '^src/(server\\.ts$|demo/|import/)' },
  },
  {
    name: 'config-from-above',
    comment: 'Settings are read once, by main, and handed down as arguments.',
    from: { path: '^src/(kernel|db|policy|events|domains|graphql|web)/', pathNot: programs },
    to: { path: '^src/config\\.ts$' },
  },
  {
    name: 'config-imports-nothing-of-ours',
    comment: 'The settings are read before anything else runs.',
    from: { path: '^src/config\\.ts$' },
    to: { path: '^src/' },
  },

  // The layers, from the bottom up.
  {
    name: 'kernel-imports-nothing-of-ours',
    from: { path: '^src/kernel/' },
    to: { path: '^src/(?!kernel/)' },
  },
  {
    name: 'kernel-does-no-io',
    from: { path: '^src/kernel/' },
    to: { path: [inputAndOutput, clients] },
  },
  {
    name: 'db-imports-kernel-only',
    from: { path: '^src/db/', pathNot: programs },
    to: { path: '^src/(?!(db|kernel)/)' },
  },
  {
    name: 'events-import-db-and-kernel-only',
    from: { path: '^src/events/' },
    to: { path: '^src/(?!(events|db|kernel)/)' },
  },
  {
    name: 'policy-imports-kernel-only',
    comment: 'policy decides, it does not look anything up. The types of what lies below it are not I/O.',
    from: { path: '^src/policy/' },
    to: { path: '^src/(?!(policy|kernel)/|db/generated/enums\\.ts$)' },
  },
  {
    name: 'policy-does-no-io',
    from: { path: '^src/policy/' },
    to: { path: [inputAndOutput, clients] },
  },
  {
    name: 'rules-import-kernel-policy-and-types-only',
    comment: 'Rules are pure: what they need to know comes in as arguments. Types are free, code is not.',
    from: { path: '^src/domains/[^/]+/[^/]+\\.rules\\.ts$' },
    to: {
      path: '^src/(?!(kernel|policy)/|domains/[^/]+/[^/]+\\.(rules|types)\\.ts$|db/generated/enums\\.ts$)',
      dependencyTypesNot: typeOnly,
    },
  },
  {
    name: 'rules-do-no-io',
    from: { path: '^src/domains/[^/]+/[^/]+\\.rules\\.ts$' },
    to: { path: [inputAndOutput, clients] },
  },
  {
    name: 'rules-are-below-services',
    comment: 'Not even the types: a type that rules need belongs in the rules, or in DOMAIN.types.ts.',
    from: { path: '^src/domains/[^/]+/[^/]+\\.rules\\.ts$' },
    to: { path: '^src/(main\\.ts|transport/|worker/|graphql/|domains/[^/]+/[^/]+\\.(graphql|service|jobs)\\.ts$)' },
  },
  {
    name: 'stores-import-db-and-kernel-only',
    comment: 'A store is SQL: it decides nothing and tells no one. Types and pure rules of its own rank are free.',
    from: { path: '^src/domains/[^/]+/[^/]+\\.store\\.ts$' },
    to: {
      path: '^src/(?!(db|kernel)/|domains/[^/]+/[^/]+\\.(store|types)\\.ts$)',
      dependencyTypesNot: typeOnly,
    },
  },
  {
    name: 'stores-are-below-services',
    from: { path: '^src/domains/[^/]+/[^/]+\\.store\\.ts$' },
    to: { path: '^src/(main\\.ts|transport/|worker/|graphql/|domains/[^/]+/[^/]+\\.(graphql|service|jobs)\\.ts$)' },
  },
  {
    name: 'types-import-types-only',
    comment: 'Everyone may import DOMAIN.types.ts caller.ts and job.ts, so they must not carry code in.',
    from: { path: '^src/domains/([^/]+/[^/]+\\.types|caller|job)\\.ts$' },
    to: { path: '^src/', pathNot: ['^src/kernel/', '\\.types\\.ts$'], dependencyTypesNot: typeOnly },
  },
  {
    name: 'services-are-below-graphql',
    comment: 'Services and the other roles of a domain know nothing of GraphQL, of a transport or of the worker.',
    from: { path: '^src/domains/', pathNot: ['\\.graphql\\.ts$', programs] },
    to: { path: ['^src/(graphql|transport|worker|web)/', '\\.graphql\\.ts$'] },
  },
  {
    name: 'store-is-private-to-its-domain',
    comment: "Another domain's data is reached through its service.",
    from: { path: '^src/domains/([^/]+)/' },
    to: { path: '^src/domains/[^/]+/[^/]+\\.store\\.ts$', pathNot: '^src/domains/$1/' },
  },
  {
    name: 'stores-are-imported-by-domains-only',
    from: { path: '^src/', pathNot: ['^src/domains/', programs] },
    to: { path: '^src/domains/[^/]+/[^/]+\\.store\\.ts$' },
  },
  {
    name: 'only-services-and-types-cross-domains',
    comment:
      "A domain's face is its service, what decides on access, its types, its pure rules and, between *.graphql files, its GraphQL types.",
    from: { path: '^src/domains/([^/]+)/', pathNot: programs },
    to: {
      path: '^src/domains/[^/]+/',
      pathNot: ['^src/domains/$1/', '^src/domains/[^/]+/[^/]+\\.(service|access|types|rules|graphql|store)\\.ts$'],
    },
  },
  ...domains.slice(0, -1).map((domain, index) => ({
    name: `${domain}-imports-lower-domains-only`,
    comment: `Lowest first: ${domains.join(', ')}. What a higher domain adds to a lower type is attached from above.`,
    from: { path: `^src/domains/${domain}/` },
    to: { path: `^src/domains/(${domains.slice(index + 1).join('|')})/` },
  })),

  // GraphQL.
  {
    name: 'graphql-never-imports-a-store',
    comment: 'Types and fields are thin: what reads or writes goes through the service.',
    from: { path: ['\\.graphql\\.ts$', '^src/graphql/'] },
    to: { path: '\\.store\\.ts$' },
  },
  {
    name: 'graphql-never-imports-a-database-client',
    from: { path: '\\.graphql\\.ts$' },
    to: { path: [statements, clients] },
  },
  {
    name: 'graphql-does-no-io',
    from: { path: '\\.graphql\\.ts$' },
    to: { path: inputAndOutput },
  },
  {
    name: 'graphql-is-below-transport',
    from: { path: ['\\.graphql\\.ts$', '^src/graphql/'], pathNot: programs },
    to: { path: '^src/(transport|worker|web)/' },
  },
  {
    name: 'graphql-files-are-below-the-schema',
    comment: 'graphql/schema lists the domains; whatever they import from it would be a cycle.',
    from: { path: ['\\.graphql\\.ts$', '^src/graphql/(?!schema\\.ts$)'], pathNot: programs },
    to: { path: '^src/graphql/schema\\.ts$' },
  },
  {
    name: 'only-the-schema-lists-the-domains',
    comment: 'Importing a *.graphql.ts registers its types: only graphql/schema and higher *.graphql files do so.',
    from: { path: '^src/', pathNot: ['\\.graphql\\.ts$', '^src/graphql/schema\\.ts$', programs] },
    to: { path: '\\.graphql\\.ts$' },
  },

  // The edges.
  {
    name: 'transport-and-worker-are-imported-by-the-server-only',
    from: { path: '^src/', pathNot: ['^src/(transport/|worker/|server\\.ts$)', programs] },
    to: { path: '^src/(transport|worker)/' },
  },
  {
    name: 'transport-and-worker-stay-apart',
    comment: 'They are roles of a process: each starts without the other.',
    from: { path: '^src/(transport|worker)/' },
    to: { path: '^src/(transport|worker)/', pathNot: '^src/$1/' },
  },
  {
    name: 'web-imports-generated-operations-only',
    comment: 'The browser client is a client like any other: it knows the schema, not the server.',
    from: { path: '^src/web/' },
    to: { path: '^src/(?!web/)' },
  },
  {
    name: 'web-is-imported-by-no-server-code',
    from: { path: '^src/(?!web/)' },
    to: { path: '^src/web/' },
  },
  {
    name: 'source-never-imports-tests',
    from: { path: '^src/' },
    to: { path: '^(test|bench)/' },
  },
];

// dependency-cruiser reads the code with swc's visitor, because TypeScript 7 has no compiler API for it. That visitor dies
// at `using` declarations and does not see `import('…')` inside types, which would be a hole in the law. This shows it
// both as something that it knows: a variable declaration, and a type-only import.
const visitModule = Visitor.prototype.visitModule;
Visitor.prototype.visitModule = function visitModuleWithNewerSyntax(module) {
  for (const node of nodesOf(module)) {
    if (node.type === 'UsingDeclaration') {
      Object.assign(node, { type: 'VariableDeclaration', kind: 'const', declare: false, declarations: node.decls });
    } else if (node.type === 'TsImportType') {
      this.visitImportDeclaration({ type: 'ImportDeclaration', source: node.argument, specifiers: [], typeOnly: true });
    }
  }
  return visitModule.call(this, module);
};

/** Every node of a syntax tree, the parents first. */
function* nodesOf(value) {
  if (typeof value !== 'object' || value === null) return;
  if (typeof value.type === 'string') yield value;
  for (const child of Object.values(value)) yield* nodesOf(child);
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    parser: 'swc',
    doNotFollow: { path: ['node_modules', '^src/(db|web)/generated/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
    skipAnalysisNotInRules: true,
  },
};
