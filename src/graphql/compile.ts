import { collectFields, collectSubFields } from '@graphql-tools/utils';
import {
  type DocumentNode,
  defaultTypeResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getArgumentValues,
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

// Operations as functions that give their data. They do what graphql-js does where there is no error, and nothing else:
// whatever is not right (an error, a null where none may be, a type that is none) is thrown, and then graphql-js has to
// execute the operation. So here is no error to be told, no place of one and no null to be passed up, and no look at a
// document that has been understood before.

type Variables = Record<string, unknown>;
type Path = GraphQLResolveInfo['path'];

/** One execution. */
interface Run {
  readonly rootValue: unknown;
  readonly context: unknown;
  readonly variables: Variables;
  /** The arguments of fields, by the place that each field has in the operation: the same for all items of a list. */
  readonly args: (Record<string, unknown> | undefined)[];
}

/** Makes of what a field or an item of a list gave what stands in the data, or a promise of it. */
type Complete = (value: unknown, run: Run, path: Path | undefined) => unknown;

/** Thrown for an operation that is never to be tried again here. */
export class Uncompilable extends Error {
  override readonly name = 'Uncompilable';
}

/** Gives the data, or a promise of it. @throws, or rejects, where graphql-js has to execute the operation. */
export type CompiledOperation = (rootValue: unknown, context: unknown, variables: Variables) => Data | Promise<Data>;

/** Fields of an operation, counted under each type that they are asked of. */
const mostFields = 2_000;

type Data = Record<string, unknown>;

/** Without a prototype, from which it would inherit names; `Object.create(null)` makes objects that are slower. */
const NewData: new () => Data = Object(function Data() {});
NewData.prototype = Object.create(null);

/**
 * @param conditions the variables of `@skip` and `@include` (conditionsOf): the operation is compiled for these values.
 * @throws for an operation of which it cannot be said how it would be executed.
 */
export function compileOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  conditions: Variables,
): CompiledOperation {
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments[node.name.value] = node;
  }
  let places = 0;

  function objectOf(type: GraphQLObjectType, collected: Iterable<[string, FieldNode[]]>) {
    const fields: { readonly key: string; readonly complete: Complete }[] = [];
    for (const [key, nodes] of collected) {
      const complete = fieldOf(type, key, nodes);
      if (complete) fields.push({ key, complete });
    }
    if (type.isTypeOf) throw new Uncompilable(`${type.name} wants to be asked for its values`);
    return (source: unknown, run: Run, path: Path | undefined): Data | Promise<Data> => {
      const data = new NewData();
      let pending: Promise<unknown>[] | null = null;
      for (const { key, complete } of fields) {
        const value = complete(source, run, path);
        // Also where it is a promise: the data has its keys in the order of the fields.
        data[key] = value;
        if (!isPromise(value)) continue;
        pending ??= [];
        pending.push(
          Promise.resolve(value).then((settled) => {
            data[key] = settled;
          }),
        );
      }
      return pending ? Promise.all(pending).then(() => data) : data;
    };
  }

  /** Of the object that has the field. Null for a field that there is not: graphql-js passes it over. */
  function fieldOf(type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): Complete | null {
    const [node] = nodes;
    if (!node) return null;
    if (places++ > mostFields) throw new Uncompilable('it has too many fields');
    const place = places;
    const { value: name } = node.name;
    if (name === '__typename') return () => type.name;
    if (name === '__schema' || name === '__type') throw new Uncompilable('it asks for the schema');
    const field = type.getFields()[name];
    if (!field) return null;
    const { resolve } = field;
    const infoOf = infoFor(type, field, nodes);
    const complete = fieldValueOf(field.type, nodes, infoOf);
    if (!resolve) return propertyOf(name, complete);
    const constant = node.arguments?.some(holdsVariable) ? null : getArgumentValues(field, node);
    // Who does not take them is not given them: a resolver with three parameters has no use for the fourth.
    const wantsInfo = resolve.length > 3;
    const noInfo = infoOf(noRun, undefined);
    const hasPath = wantsInfo || !isLeafType(getNullableType(field.type));
    return (source, run, before) => {
      // A promise that fails, so that those of the fields beside it are waited for.
      try {
        const path = hasPath ? { prev: before, key, typename: type.name } : undefined;
        run.args[place] ??= constant ?? getArgumentValues(field, node, run.variables);
        const value: unknown = resolve(source, run.args[place], run.context, wantsInfo ? infoOf(run, path) : noInfo);
        if (!isPromise(value)) return complete(value, run, path);
        return value.then((settled) => complete(settled, run, path));
      } catch (error) {
        return Promise.reject(error);
      }
    };
  }

  function infoFor(parentType: GraphQLObjectType, field: GraphQLField<unknown, unknown>, nodes: readonly FieldNode[]) {
    const { name: fieldName, type: returnType } = field;
    const fixed = { fieldName, fieldNodes: nodes, returnType, parentType, schema, fragments, operation };
    return ({ rootValue, variables }: Run, path: Path = nowhere): GraphQLResolveInfo => ({
      ...fixed,
      path,
      rootValue,
      variableValues: variables,
    });
  }

  function fieldValueOf(type: GraphQLOutputType, nodes: readonly FieldNode[], infoOf: InfoOf): Complete {
    const complete = valueThere(getNullableType(type), nodes, infoOf);
    return isNonNullType(type) ? required(complete) : optional(complete);
  }

  /** Of a value that is not null. */
  function valueThere(type: GraphQLOutputType, nodes: readonly FieldNode[], infoOf: InfoOf): Complete {
    if (isListType(type)) return listOf(fieldValueOf(type.ofType, nodes, infoOf));
    if (isLeafType(type)) return leafOf(type);
    if (isObjectType(type)) return objectOf(type, fieldsOf(type, nodes));
    if (isAbstractType(type)) return abstractOf(type, nodes, infoOf);
    throw new Uncompilable('it has a type of an unknown kind');
  }

  function fieldsOf(type: GraphQLObjectType, nodes: readonly FieldNode[]): Map<string, FieldNode[]> {
    return collectSubFields(schema, fragments, conditions, type, [...nodes]).fields;
  }

  function abstractOf(type: GraphQLAbstractType, nodes: readonly FieldNode[], infoOf: InfoOf): Complete {
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const byName = new Map<unknown, Complete>();
    function ofType(name: unknown): Complete {
      const known = byName.get(name);
      if (known) return known;
      const concrete = typeof name === 'string' ? schema.getType(name) : undefined;
      if (!isObjectType(concrete) || !schema.isSubType(type, concrete)) throw new Error(`it is no ${type.name}`);
      const complete = objectOf(concrete, fieldsOf(concrete, nodes));
      byName.set(name, complete);
      return complete;
    }
    return (value, run, path) => {
      const name = resolveType(value, run.context, infoOf(run, path), type);
      if (isPromise(name)) return name.then((settled) => ofType(settled)(value, run, path));
      return ofType(name)(value, run, path);
    };
  }

  const root = schema.getRootType(operation.operation);
  if (!root) throw new Uncompilable('there is nothing of that kind');
  const completeRoot = objectOf(
    root,
    collectFields(schema, fragments, conditions, root, operation.selectionSet).fields,
  );
  return (rootValue, context, variables) => {
    return completeRoot(rootValue, { rootValue, context, variables, args: [] }, undefined);
  };
}

type InfoOf = (run: Run, path: Path | undefined) => GraphQLResolveInfo;

const noRun: Run = { rootValue: undefined, context: undefined, variables: {}, args: [] };
const nowhere: Path = { prev: undefined, key: '', typename: undefined };

function required(complete: Complete): Complete {
  return (value, run, path) => {
    if (value == null) throw new Error('there is a null where none may be');
    if (value instanceof Error) throw value;
    return complete(value, run, path);
  };
}

function optional(complete: Complete): Complete {
  return (value, run, path) => {
    if (value == null) return null;
    if (value instanceof Error) throw value;
    return complete(value, run, path);
  };
}

function leafOf(type: GraphQLLeafType): Complete {
  return (value) => {
    const serialized: unknown = type.serialize(value);
    if (serialized == null) throw new Error(`it cannot be written as ${type.name}`);
    return serialized;
  };
}

function listOf(complete: Complete): Complete {
  const completeItem = (item: unknown, run: Run, path: Path) =>
    isPromise(item) ? item.then((settled) => complete(settled, run, path)) : complete(item, run, path);
  return (values, run, path) => {
    if (!isIterable(values)) throw new Error('it is no list');
    let pending = false;
    const data: unknown[] = [];
    for (const item of values) {
      let value: unknown;
      try {
        value = completeItem(item, run, { prev: path, key: data.length, typename: undefined });
      } catch (error) {
        value = Promise.reject(error);
      }
      pending ||= isPromise(value);
      data.push(value);
    }
    return pending ? Promise.all(data) : data;
  };
}

/** Of a field without a resolver: the property of its name. */
function propertyOf(name: string, complete: Complete): Complete {
  return (source, run, path) => {
    try {
      const value: unknown = Object(source)[name];
      if (typeof value === 'function') throw new Error('it has to be called');
      return isPromise(value) ? value.then((settled) => complete(settled, run, path)) : complete(value, run, path);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function holdsVariable(node: Parameters<typeof visit>[0]): boolean {
  let holds = false;
  visit(node, {
    Variable() {
      holds = true;
    },
  });
  return holds;
}

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
