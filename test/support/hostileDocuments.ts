import {
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import type { Random } from './random.ts';

/** A request's body as an attacker would write it. */
export interface HostileOperation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What the attacker knows of: ids and cursors of others, and texts that break things elsewhere. */
export interface Arsenal {
  readonly ids: readonly string[];
  readonly cursors: readonly string[];
}

const texts = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e\u0000',
  "'; DROP TABLE messages; --",
  '$1',
  '%s%n',
  '../../etc/passwd',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'NaN',
  '\u{1F600}'.repeat(50),
  'x'.repeat(70_000),
];
const numbers = [0, -1, 1, 99, 101, 2 ** 31, -(2 ** 31), 2 ** 53, 1e308, 0.5];

/** Random operations over everything that the schema has. Mutations cannot succeed: one required place is always wrong. */
export function createHostileDocuments(schema: GraphQLSchema, random: Random, arsenal: Arsenal) {
  const chance = (percent: number) => random.integer(100) < percent;

  function textOf(name: string): string {
    if (/cursor|after|before/i.test(name) && chance(70)) return random.pick(arsenal.cursors);
    if (/id/i.test(name) && chance(70)) return random.pick(arsenal.ids);
    return random.pick(texts);
  }

  function scalar(type: string, name: string): unknown {
    if (chance(4)) return random.pick([null, [], {}, true, 'x', 7, { a: { b: {} } }]);
    if (type === 'Int' || type === 'Float') return random.pick(numbers);
    if (type === 'Boolean') return chance(50);
    if (type === 'DateTime')
      return random.pick(['2026-01-01T00:00:00.000Z', '+275760-09-13T00:00:00Z', 'yesterday', '']);
    return textOf(name);
  }

  function input(type: GraphQLInputType, name: string, depth = 4): unknown {
    if (isNonNullType(type)) return input(type.ofType, name, depth);
    if (isListType(type)) {
      return Array.from({ length: chance(5) ? 300 : random.integer(4) }, () => input(type.ofType, name, depth));
    }
    const named = getNamedType(type);
    if (isEnumType(named)) return chance(80) ? random.pick(named.getValues()).name : random.pick(texts);
    if (!isInputObjectType(named)) return scalar(named.name, name);
    const value: Record<string, unknown> = {};
    for (const field of Object.values(named.getFields())) {
      if (depth > 0 && (isNonNullType(field.type) ? chance(97) : chance(40))) {
        value[field.name] = input(field.type, field.name, depth - 1);
      }
    }
    if (chance(3)) value[random.pick(['extra', '__proto__', 'tenantId', 'toString'])] = 'x';
    return value;
  }

  /** What no mutation accepts in a place of this type. */
  function poison(type: GraphQLInputType): unknown {
    const bare = isNonNullType(type) ? type.ofType : type;
    if (isListType(bare)) return chance(50) ? ['\0', random.pick(arsenal.ids)] : '\0';
    const named = getNamedType(bare);
    if (isInputObjectType(named)) return poisoned(named.getFields());
    if (named.name === 'ID') return random.pick([...arsenal.ids, 'room_', '\0', '', 'x'.repeat(5_000)]);
    if (named.name === 'String') return random.pick(['\0', 'a\0b', '\ud800']);
    return random.pick(['\0', { a: 1 }, [[]], 'Infinity']);
  }

  function poisoned(fields: Readonly<Record<string, { readonly name: string; readonly type: GraphQLInputType }>>) {
    const value: Record<string, unknown> = {};
    const required = Object.values(fields).filter(({ type }) => isNonNullType(type));
    const target = random.pick(required.length > 0 ? required : Object.values(fields));
    for (const field of Object.values(fields)) {
      if (field === target) value[field.name] = poison(field.type);
      else if (isNonNullType(field.type) || chance(40)) value[field.name] = input(field.type, field.name);
    }
    return value;
  }

  function selection(type: GraphQLOutputType, depth: number): string {
    const named = getNamedType(type);
    if (isLeafType(named)) return '';
    if (isAbstractType(named)) {
      const members = schema.getPossibleTypes(named).filter(() => chance(60));
      return `{ __typename ${members.map((member) => `... on ${member.name} ${selection(member, depth)}`).join(' ')} }`;
    }
    if (!isObjectType(named)) return '';
    const fields = Object.values(named.getFields()).flatMap((field) => {
      if (!chance(depth > 3 ? 35 : 50) || (depth === 0 && !isLeafType(getNamedType(field.type)))) return [];
      const alias = chance(5) ? `a${random.integer(50)}: ` : '';
      const directive = chance(5) ? ` @${random.pick(['skip', 'include'])}(if: ${chance(50)})` : '';
      return [`${alias}${field.name}${literals(field.args)}${directive} ${selection(field.type, depth - 1)}`];
    });
    return `{ __typename ${fields.join(' ')} }`;
  }

  function literals(args: readonly GraphQLArgument[]): string {
    const given = args.filter((arg) => isNonNullType(arg.type) || chance(30));
    return given.length === 0
      ? ''
      : `(${given.map((arg) => `${arg.name}: ${literal(input(arg.type, arg.name), arg.type)}`).join(', ')})`;
  }

  function operation(): HostileOperation {
    const kind = random.pick(['query', 'query', 'mutation', 'subscription'] as const);
    const root = {
      query: schema.getQueryType(),
      mutation: schema.getMutationType(),
      subscription: schema.getSubscriptionType(),
    }[kind];
    const fields = Object.values(root?.getFields() ?? {});
    const field = random.pick(fields);
    const declared = field.args.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
    const passed = field.args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
    const fieldArgs = Object.fromEntries(field.args.map((arg) => [arg.name, arg]));
    const variables =
      kind === 'mutation'
        ? field.args.length > 0
          ? poisoned(fieldArgs)
          : {}
        : Object.fromEntries(field.args.filter(() => chance(85)).map((arg) => [arg.name, input(arg.type, arg.name)]));
    const body = `${field.name}${passed && `(${passed})`} ${selection(field.type, random.integer(6))}`;
    return { query: `${kind} Hostile${declared && `(${declared})`} { ${body} }`, variables };
  }

  /** The text of a document, broken somewhere. Only of what writes nothing when it is whole. */
  function broken(): HostileOperation {
    let whole = operation();
    while (whole.query.startsWith('mutation')) whole = operation();
    let { query } = whole;
    for (let count = 1 + random.integer(4); count > 0; count--) {
      const at = random.integer(query.length + 1);
      const length = random.integer(12);
      const insertion = random.pick([
        '',
        '{',
        '}',
        '(',
        ')',
        '$',
        '"',
        '"""',
        '...',
        '@skip',
        '\0',
        '\u2028',
        '#',
        'on',
        query.slice(at, at + 40),
      ]);
      query = query.slice(0, at) + insertion + query.slice(at + length);
    }
    return { query, variables: whole.variables };
  }

  return { operation, broken, text: () => random.pick(texts) };
}

/** A value as it stands in a document. */
function literal(value: unknown, type: GraphQLInputType): string {
  const bare = isNonNullType(type) ? type.ofType : type;
  if (Array.isArray(value))
    return `[${value.map((item) => literal(item, isListType(bare) ? bare.ofType : bare)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, item]) => `${key}: ${literal(item, bare)}`)
      .join(', ')} }`;
  }
  if (typeof value === 'string' && isEnumType(bare) && /^\w+$/.test(value)) return value;
  return JSON.stringify(value) ?? 'null';
}
