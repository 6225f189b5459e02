import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';

/** One operation of the API with one place for an id or cursor in it. */
export interface Probe {
  readonly operation: 'query' | 'mutation' | 'subscription';
  /** As in `sendMessage input.replyToId`. */
  readonly name: string;
  /** What belongs into the place. */
  readonly slot: Slot;
  readonly document: string;
  /** The variables with this value in the place, and with `fill` in all other places. */
  variables(value: string, fill: (slot: Slot) => string): Record<string, unknown>;
}

export type Slot = 'Room' | 'Message' | 'User' | 'Purge' | 'Node' | 'cursor';

/** What the ids of the API are of, by the name of their argument or input field. */
const slots: Readonly<Record<string, Slot>> = {
  'node id': 'Node',
  'nodes ids': 'Node',
  'room id': 'Room',
  'cancelPurge id': 'Purge',
  'undoPurge id': 'Purge',
  'purgeProgress id': 'Purge',
  roomId: 'Room',
  messageId: 'Message',
  replyToId: 'Message',
  userId: 'User',
  userIds: 'User',
  memberIds: 'User',
  actorId: 'User',
  targetId: 'Node',
  after: 'cursor',
  before: 'cursor',
};

/** What belongs into an argument or input field of a root field; undefined for other values than ids and cursors. */
export function slotNamed(field: string, name: string): Slot | undefined {
  return slots[`${field} ${name}`] ?? slots[name];
}

/** Values for required arguments and input fields that are not ids. */
const samples: Readonly<Record<string, unknown>> = {
  body: 'intruder was here',
  name: 'intruder was here',
  kind: 'GROUP',
  role: 'OWNER',
  mode: 'SOFT',
  held: true,
  days: 30,
  // Of a purge, not of a page.
  before: '2000-01-01T00:00:00.000Z',
  muted: true,
};

/** Every place of every root field in which an id or a cursor can stand. @throws for one that is not known here. */
export function probesOf(schema: GraphQLSchema): Probe[] {
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  } as const;
  return (['query', 'mutation', 'subscription'] as const).flatMap((operation) =>
    Object.values(roots[operation]?.getFields() ?? {}).flatMap((field) => probesOfField(schema, operation, field)),
  );
}

interface Place {
  readonly path: readonly string[];
  readonly type: GraphQLInputType;
}

function probesOfField(
  schema: GraphQLSchema,
  operation: Probe['operation'],
  field: GraphQLField<unknown, unknown>,
): Probe[] {
  // What has a default is left to it.
  const args = field.args.filter((arg) => arg.defaultValue === undefined);
  const places = args.flatMap((arg) => leaves({ path: [arg.name], type: arg.type }));
  const declared = args.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
  const passed = args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const document = `${operation} Probe${declared && `(${declared})`} { ${field.name}${passed && `(${passed})`} ${selectionOf(schema, field.type, 3)} }`;
  const slotOf = (place: Place): Slot | null => {
    const known = slotNamed(field.name, place.path.at(-1) ?? '');
    if (known === 'cursor' && getNamedType(place.type).name !== 'String') return null;
    if (known) return known;
    if (getNamedType(place.type).name === 'ID')
      throw new Error(`say what ${field.name} ${place.path.join('.')} is the id of`);
    return null;
  };
  const probed = places.flatMap((place) => {
    const slot = slotOf(place);
    return slot ? [{ place, slot }] : [];
  });
  return probed.map(({ place: target, slot }) => ({
    operation,
    name: `${field.name} ${target.path.join('.')}`,
    slot,
    document,
    variables(value, fill) {
      const variables = {};
      for (const place of places) {
        const own = slotOf(place);
        if (place === target) put(variables, place, value);
        else if (isNonNullType(place.type)) put(variables, place, own ? fill(own) : sampleOf(field.name, place));
      }
      return variables;
    },
  }));
}

function sampleOf(field: string, place: Place): unknown {
  const name = place.path.at(-1) ?? '';
  if (!(name in samples)) throw new Error(`give a sample for ${field} ${place.path.join('.')}`);
  return samples[name];
}

function leaves(place: Place): Place[] {
  const named = getNamedType(place.type);
  if (!isInputObjectType(named)) return [place];
  return Object.values(named.getFields()).flatMap((field) =>
    field.defaultValue === undefined ? leaves({ path: [...place.path, field.name], type: field.type }) : [],
  );
}

function put(target: object, { path, type }: Place, value: unknown): void {
  const bare = isNonNullType(type) ? type.ofType : type;
  let current = target;
  for (const key of path.slice(0, -1)) {
    const next: object = Reflect.get(current, key) ?? {};
    Reflect.set(current, key, next);
    current = next;
  }
  Reflect.set(current, path.at(-1) ?? '', isListType(bare) ? [value] : value);
}

/** Everything that can be selected without arguments, some levels down. */
export function selectionOf(schema: GraphQLSchema, type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  if (isUnionType(named) || isInterfaceType(named)) {
    const parts = schema
      .getPossibleTypes(named)
      .map((member) => `... on ${member.name} ${selectionOf(schema, member, depth)}`);
    return `{ __typename ${parts.join(' ')} }`;
  }
  if (!isObjectType(named)) return '';
  const fields = Object.values(named.getFields()).flatMap((field) => {
    if (field.args.some((arg) => isNonNullType(arg.type))) return [];
    if (isLeafType(getNamedType(field.type))) return [`${named.name}_${field.name}: ${field.name}`];
    return depth > 1
      ? [`${named.name}_${field.name}: ${field.name} ${selectionOf(schema, field.type, depth - 1)}`]
      : [];
  });
  return `{ __typename ${fields.join(' ')} }`;
}
