import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';
import { type Slot, selectionOf, slotNamed } from './probes.ts';
import type { Random } from './random.ts';

/** What is somebody else's, by what it is. */
export type Targets = Readonly<Record<Slot, readonly string[]>>;

/** An operation with which nothing is wrong but who asks. */
export interface Trespass {
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly field: GraphQLField<unknown, unknown>;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The ids of others that it names: what is there for their owners. */
  readonly aims: readonly Slot[];
}

const texts: Readonly<Record<string, string>> = {
  permission: 'audit:read',
  action: 'room.create',
  frameAncestors: 'https://host.example',
  token: 'a.b.c',
};
const pageArguments = ['first', 'last', 'after', 'before'];
const dates = ['2001-01-01T00:00:00.000Z', '2020-06-01T12:00:00.000Z'];

/** Random operations as the front ends of the victims would send them, with the victims' own ids and cursors. */
export function createTrespasses(schema: GraphQLSchema, random: Random, targets: Targets) {
  const chance = (percent: number) => random.integer(100) < percent;
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  } as const;

  function operation(kind: Trespass['kind']): Trespass {
    const field = random.pick(Object.values(roots[kind]?.getFields() ?? {}));
    const aims = new Set<Slot>();

    function valueFor(type: GraphQLInputType, name: string): unknown {
      if (isNonNullType(type)) return valueFor(type.ofType, name);
      if (isListType(type)) return Array.from({ length: 1 + random.integer(3) }, () => valueFor(type.ofType, name));
      const named = getNamedType(type);
      if (isInputObjectType(named)) return given(Object.values(named.getFields()));
      // The own roles stay as they are: what is refused here shall not be refused for them.
      if (named.name === 'TenantRole') return 'SERVICE';
      if (isEnumType(named)) return random.pick(named.getValues()).name;
      if (named.name === 'Boolean') return chance(50);
      if (named.name === 'Int') return 1 + random.integer(50);
      if (named.name === 'DateTime') return random.pick(dates);
      const slot = slotNamed(field.name, name);
      if (named.name === 'ID' && !slot) throw new Error(`say in probes.ts what ${field.name} ${name} is the id of`);
      if (!slot) return texts[name] ?? 'a word of an intruder';
      if (slot !== 'cursor') aims.add(slot);
      return random.pick(targets[slot]);
    }

    /** Everything that an input can have; of a list's arguments those for one direction; of two ways to say it one. */
    function given(places: readonly { readonly name: string; readonly type: GraphQLInputType }[]) {
      const names = places.filter(({ type }) => !isNonNullType(type)).map(({ name }) => name);
      const omitted = chance(50) ? ['first', 'after'] : ['last', 'before'];
      const ofPage = names.includes('first');
      const either = names.includes('roomId') && names.includes('userIds') ? random.pick(['roomId', 'userIds']) : null;
      const chosen = places.filter(
        ({ name }) =>
          name !== either && !(ofPage && (omitted.includes(name) || (pageArguments.includes(name) && chance(50)))),
      );
      return Object.fromEntries(chosen.map(({ name, type }) => [name, valueFor(type, name)]));
    }

    const variables = given(field.args);
    const args = field.args.filter(({ name }) => name in variables);
    const declared = args.map(({ name, type }) => `$${name}: ${type}`).join(', ');
    const passed = args.map(({ name }) => `${name}: $${name}`).join(', ');
    const selection = selectionOf(schema, field.type, 1 + random.integer(4));
    const body = `${field.name}${passed && `(${passed})`} ${selection}`;
    return {
      kind,
      field,
      query: `${kind} Trespass${declared && `(${declared})`} { ${body} }`,
      variables,
      aims: [...aims],
    };
  }

  return operation;
}
