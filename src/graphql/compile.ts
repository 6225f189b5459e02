import { collectFields, collectSubFields } from '@graphql-tools/utils';
import {
  type DocumentNode,
  defaultTypeResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNullableType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import { propertyName } from '../kernel/code.ts';
import { argumentsOf } from './arguments.ts';
import {
  abandoned,
  type Complete,
  completed,
  type Data,
  isPromise,
  leafOf,
  listOf,
  onceIfFrozen,
  optional,
  type Path,
  type Run,
  required,
  settled,
  type Variables,
  writtenAsIs,
} from './completion.ts';

// Operations as functions that give their data. They do what graphql-js does where there is no error, and nothing else:
// whatever is not right (an error, a null where none may be, a type that is none) is thrown, and then graphql-js has to
// execute the operation. So here is no error to be told, no place of one and no null to be passed up, and no look at a
// document that has been understood before.

/** Thrown for an operation that is never to be tried again here. */
export class Uncompilable extends Error {
  override readonly name = 'Uncompilable';
}

/** Gives the data, or a promise of it. @throws, or rejects, where graphql-js has to execute the operation. */
export type CompiledOperation = (rootValue: unknown, context: unknown, variables: Variables) => Data | Promise<Data>;

/** Fields of an operation, counted under each type that they are asked of. */
const mostFields = 2_000;

/**
 * @param conditions the variables of `@skip` and `@include` (conditionsOf): the operation is compiled for these values.
 * @param onField called for each field that is compiled, which is also done while it is executed: of an abstract type
 * what an object is, is only known then.
 * @throws for an operation of which it cannot be said how it would be executed.
 */
export function compileOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  conditions: Variables,
  onField: () => void = () => undefined,
): CompiledOperation {
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments[node.name.value] = node;
  }
  let places = 0;

  function objectOf(type: GraphQLObjectType, collected: Iterable<[string, FieldNode[]]>): Part<Data | Promise<Data>> {
    if (type.isTypeOf) throw new Uncompilable(`${type.name} wants to be asked for its values`);
    const fields = [...collected].flatMap(([key, nodes]) => fieldOf(type, key, nodes) ?? []);
    const complete = writeObject(fields);
    const wantsPath = fields.some((field) => 'ask' in field && field.pathOf !== undefined);
    const follows = fields.every(({ ofSource }) => ofSource);
    return { complete: follows ? onceIfFrozen(complete) : complete, wantsPath, ofSource: follows };
  }

  /** Null for a field that there is not: graphql-js passes it over. */
  function fieldOf(type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): Field | null {
    const [node] = nodes;
    if (!node) return null;
    if (places++ > mostFields) throw new Uncompilable('it has too many fields');
    onField();
    const { value: name } = node.name;
    if (name === '__typename') return { key, constant: type.name, ofSource: true };
    if (name === '__schema' || name === '__type') throw new Uncompilable('it asks for the schema');
    const field = type.getFields()[name];
    if (!field) return null;
    const infoOf = infoFor(type, field, nodes);
    const { complete, ...below } = completionOf(field.type, nodes, infoOf);
    const asIs = writtenAsIs(getNullableType(field.type));
    const { resolve } = field;
    const isLeaf = isLeafType(getNullableType(field.type));
    if (!resolve) return { key, complete, asIs, property: name, ofSource: isLeaf };
    const argsFor = argumentsOf(field, node);
    // Who does not take it is not given it: a resolver with three parameters has no use for the fourth.
    const wantsInfo = resolve.length > 3;
    const typename = type.name;
    const pathOf = wantsInfo || below.wantsPath ? (prev: Path | undefined) => ({ prev, key, typename }) : undefined;
    const ask: Ask = (source, run, path) =>
      resolve(source, argsFor(run.variables), run.context, wantsInfo ? infoOf(run, path) : noInfo);
    const noInfo = infoOf(noRun, undefined);
    const follows = isLeaf && field.args.length === 0 && field.extensions.ofSource === true;
    return { key, complete, asIs, ask, pathOf, ofSource: follows };
  }

  function infoFor(
    parentType: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    fieldNodes: readonly FieldNode[],
  ) {
    const { name: fieldName, type: returnType } = field;
    return ({ rootValue, variables: variableValues }: Run, path: Path = nowhere): GraphQLResolveInfo => ({
      fieldName,
      fieldNodes,
      returnType,
      parentType,
      schema,
      fragments,
      operation,
      path,
      rootValue,
      variableValues,
    });
  }

  function completionOf(type: GraphQLOutputType, nodes: readonly FieldNode[], infoOf: InfoOf): Part {
    const part = completionThere(getNullableType(type), nodes, infoOf);
    return { ...part, complete: isNonNullType(type) ? required(part.complete) : optional(part.complete) };
  }

  /** Of a value that is not null. */
  function completionThere(type: GraphQLOutputType, nodes: readonly FieldNode[], infoOf: InfoOf): Part {
    if (isListType(type)) {
      const { complete, wantsPath } = completionOf(type.ofType, nodes, infoOf);
      return { complete: listOf(complete, wantsPath), wantsPath, ofSource: false };
    }
    if (isLeafType(type)) return { complete: leafOf(type), wantsPath: false, ofSource: true };
    if (isObjectType(type)) return objectOf(type, fieldsOf(type, nodes));
    if (isAbstractType(type)) return abstractOf(type, nodes, infoOf);
    throw new Uncompilable('it has a type of an unknown kind');
  }

  function fieldsOf(type: GraphQLObjectType, nodes: readonly FieldNode[]): Map<string, FieldNode[]> {
    return collectSubFields(schema, fragments, conditions, type, [...nodes]).fields;
  }

  function abstractOf(type: GraphQLAbstractType, nodes: readonly FieldNode[], infoOf: InfoOf): Part {
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const byName = new Map<unknown, Part>();
    const add = (concrete: GraphQLObjectType) => {
      const part = objectOf(concrete, fieldsOf(concrete, nodes));
      byName.set(concrete.name, part);
      return part;
    };
    function ofType(name: unknown): Part {
      const known = byName.get(name);
      if (known) return known;
      const concrete = typeof name === 'string' ? schema.getType(name) : undefined;
      if (!isObjectType(concrete) || !schema.isSubType(type, concrete)) throw new Error(`it is no ${type.name}`);
      return add(concrete);
    }
    const completeAs =
      (infoHere: InfoOf): Complete =>
      (value, run, path) => {
        const name = resolveType(value, run.context, infoHere(run, path), type);
        if (typeof name === 'string' || !isPromise(name)) return ofType(name).complete(value, run, path);
        return Promise.resolve(name).then((settled) => ofType(settled).complete(value, run, path));
      };
    if (type.extensions.ofSource !== true) return { complete: completeAs(infoOf), wantsPath: true, ofSource: false };
    const parts = schema.getPossibleTypes(type).map(add);
    const noInfo = infoOf(noRun, undefined);
    const complete = completeAs(() => noInfo);
    const follows = parts.every((part) => part.ofSource);
    const wantsPath = parts.some((part) => part.wantsPath);
    return { complete: follows ? onceIfFrozen(complete) : complete, wantsPath, ofSource: follows };
  }

  const root = schema.getRootType(operation.operation);
  if (!root) throw new Uncompilable('there is nothing of that kind');
  const { complete: completeRoot } = objectOf(
    root,
    collectFields(schema, fragments, conditions, root, operation.selectionSet).fields,
  );
  return (rootValue, context, variables) => completeRoot(rootValue, { rootValue, context, variables }, undefined);
}

/** What completes the values of a place in the operation. */
interface Part<Completed = unknown> {
  readonly complete: Complete<Completed>;
  /** Something in it is told where it is. */
  readonly wantsPath: boolean;
  /** Its data follows from the value alone. */
  readonly ofSource: boolean;
}

type InfoOf = (run: Run, path: Path | undefined) => GraphQLResolveInfo;
type Ask = (source: unknown, run: Run, path: Path | undefined) => unknown;

/** A field as the code of its object has it. */
type Field = {
  readonly key: string;
  /** Its value follows from the object alone: not from who asks, nor from anything that is loaded. */
  readonly ofSource: boolean;
} & (
  | { readonly constant: string }
  | ({
      readonly complete: Complete;
      /** The type, as `typeof` tells it, of values that need no completing. */
      readonly asIs: 'string' | 'boolean' | null;
    } & (
      | { readonly property: string }
      | { readonly ask: Ask; readonly pathOf: ((before: Path | undefined) => Path) | undefined }
    ))
);

/** One function for the fields of an object, so that all objects of a place have one shape and are made by one expression. */
function writeObject(
  fields: readonly Field[],
): (source: unknown, run: Run, path: Path | undefined) => Data | Promise<Data> {
  const names = fields.map((_field, index) => `value${index}`);
  const given: Record<string, unknown> = { completed, settled, abandoned };
  const steps = fields.map((field, index) => {
    const name = names[index];
    if ('constant' in field) return `${name} = ${JSON.stringify(field.constant)};`;
    given[`complete${index}`] = field.complete;
    let path = 'undefined';
    let ask = '';
    if ('property' in field) ask = `source[${JSON.stringify(field.property)}]`;
    else {
      given[`ask${index}`] = field.ask;
      given[`pathOf${index}`] = field.pathOf;
      if (field.pathOf) path = `path${index}`;
      ask = `ask${index}(source, run, ${path})`;
    }
    const before = path === 'undefined' ? '' : `const ${path} = pathOf${index}(path);`;
    const unless = field.asIs ? `if (typeof ${name} !== '${field.asIs}') ` : '';
    return `${before} ${name} = ${ask}; ${unless}${name} = completed(complete${index}, ${name}, run, ${path});`;
  });
  const entries = fields.map(({ key }, index) => `${propertyName(key)}: ${names[index]}`);
  const later = names.map((name) => `${name} instanceof Promise`).join(' || ') || 'false';
  const source = `return (source, run, path) => {
    let ${['none', ...names].join(', ')};
    try { ${steps.join('\n')} } catch (error) { return abandoned([${names.join(', ')}], error); }
    const data = { ${entries.join(', ')} };
    return ${later} ? settled(data) : data;
  }`;
  return Object(new Function(...Object.keys(given), source))(...Object.values(given));
}

const noRun: Run = { rootValue: undefined, context: undefined, variables: {} };
const nowhere: Path = { prev: undefined, key: '', typename: undefined };

/** The names of the variables that decide which fields are asked for. */
export function conditionsOf(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(directive) {
      for (const { value } of directive.arguments ?? []) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}
