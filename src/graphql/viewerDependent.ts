import {
  type DocumentNode,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { type Context, callerOf } from './context.ts';

/**
 * The extension of a field whose value is not the same for all who may see its parent. A subscription that selects one
 * is executed for each viewer; any other is executed once for everybody.
 */
export const viewerDependent = { viewerDependent: true } as const;

/**
 * The extension of a field that only one actor sees, and whose resolver gives what `onlyFor` gives: a subscription that
 * selects it is executed once for all others, and for this actor apart.
 */
export const ofOneViewer = { viewerDependent: 'ONE' } as const;

/** A value that only this actor sees. */
export function onlyFor<Value>(context: Context, actorId: string, value: Value): Value | null {
  if (value === null) return null;
  if (!context.setApart) return callerOf(context).actor.id === actorId ? value : null;
  context.setApart.add(actorId);
  return null;
}

/** Whether a document selects a field that is each viewer's own. */
export function dependsOnViewer(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let found = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const field = types.getFieldDef();
        if (isEachViewersOwn(field)) found = true;
        // A field of an interface is as dependent as that of any type that implements it.
        const parent = types.getParentType();
        if (!field || !parent || isObjectType(parent)) return;
        const named = getNamedType(parent);
        if (named && 'getFields' in named && !isObjectType(named)) {
          const implementations = schema.getPossibleTypes(named as Parameters<typeof schema.getPossibleTypes>[0]);
          found ||= implementations.some((type) => isEachViewersOwn(type.getFields()[field.name]));
        }
      },
    }),
  );
  return found;
}

const isEachViewersOwn = (field: GraphQLField<unknown, unknown> | null | undefined): boolean =>
  field?.extensions.viewerDependent === true;
