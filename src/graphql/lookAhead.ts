import {
  type FieldNode,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { type ArgumentsOf, argumentsOf } from './arguments.ts';
import type { Context } from './context.ts';

/** Begins to load, by lookups, what a field of the value with that key will ask for: the field then finds it under way. */
type Begin<Key, Args> = (context: Context, key: Key, args: Args) => Promise<unknown>;

/**
 * What fields of a value load by its key can be loaded together with the value, as soon as the key is known: the lookups
 * of one turn share a round trip. Nothing is shown that would not be shown otherwise, and an error is the field's to tell.
 */
export interface LookAhead<Key> {
  on<Args>(fieldName: string, begin: Begin<Key, Args>): void;
  /**
   * To be called after the value itself is asked for, in the same turn: lookups are made in the order in which they were
   * asked for, so that the fields are not older than the value.
   */
  begin(context: Context, info: GraphQLResolveInfo, key: Key): void;
}

/** What is begun for a field that an operation asks for. */
interface Wanted<Key> {
  readonly begin: Begin<Key, never>;
  readonly argsOf: ArgumentsOf;
}

export function defineLookAhead<Key>(): LookAhead<Key> {
  const begins = new Map<string, Begin<Key, never>>();
  /** By the field whose value is looked ahead of, which has one type. */
  const wanted = new WeakMap<FieldNode, readonly Wanted<Key>[]>();

  function wantedOf({ fieldNodes, fragments, returnType }: GraphQLResolveInfo): readonly Wanted<Key>[] {
    const [node] = fieldNodes;
    const type = getNamedType(returnType);
    if (!node || !isObjectType(type)) return [];
    let found = wanted.get(node);
    if (!found) {
      found = unconditional(node.selectionSet, fragments).flatMap((selected) => {
        const field = type.getFields()[selected.name.value];
        const begin = begins.get(selected.name.value);
        try {
          return field && begin ? { begin, argsOf: argumentsOf(field, selected) } : [];
        } catch {
          // The field itself will tell what is wrong with its arguments.
          return [];
        }
      });
      wanted.set(node, found);
    }
    return found;
  }

  return {
    on: (fieldName, begin) => void begins.set(fieldName, begin),
    begin(context, info, key) {
      for (const { begin, argsOf } of wantedOf(info)) {
        try {
          // A field is given the arguments that the schema declares.
          begin(context, key, argsOf(info.variableValues) as never).catch(() => undefined);
        } catch {
          // As above.
        }
      }
    },
  };
}

/** The fields that are asked for whatever the variables are, here or in a fragment. */
function unconditional(
  selectionSet: SelectionSetNode | undefined,
  fragments: GraphQLResolveInfo['fragments'],
): FieldNode[] {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.directives?.length) return [];
    if (selection.kind === Kind.FIELD) return [selection];
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
    return unconditional(fragment?.selectionSet, fragments);
  });
}

const asking = new WeakMap<FieldNode, Map<string, boolean>>();

/** Whether a field of the nodes of a page may be asked for, whatever the variables are. */
export function asksInPage({ fieldNodes, fragments }: GraphQLResolveInfo, fieldName: string): boolean {
  const [node] = fieldNodes;
  if (!node) return false;
  let known = asking.get(node);
  if (!known) {
    known = new Map();
    asking.set(node, known);
  }
  let asks = known.get(fieldName);
  if (asks === undefined) {
    const within = (path: readonly string[]) => fieldNodes.some((each) => selects(each.selectionSet, fragments, path));
    asks = within(['nodes', fieldName]) || within(['edges', 'node', fieldName]);
    known.set(fieldName, asks);
  }
  return asks;
}

function selects(
  selectionSet: SelectionSetNode | undefined,
  fragments: GraphQLResolveInfo['fragments'],
  path: readonly string[],
): boolean {
  const [name, ...below] = path;
  return (selectionSet?.selections ?? []).some((selection) => {
    if (selection.kind === Kind.FIELD) {
      if (selection.name.value !== name) return false;
      return below.length === 0 || selects(selection.selectionSet, fragments, below);
    }
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
    return selects(fragment?.selectionSet, fragments, path);
  });
}
