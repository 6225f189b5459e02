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

/**
 * The extension of a field that shows other messages than that of the event: what it gave once is not shown to who comes
 * later, for by then they may be edited, deleted or purged. Of the message that an event is about, it says so itself.
 */
export const ofOtherMessages = { otherMessages: 'ANY' } as const;

/** The same of a field that shows what a message replies to, and nothing where it is no reply. */
export const ofRepliedTo = { otherMessages: 'REPLIED_TO' } as const;

/** A value that only this actor sees. */
export function onlyFor<Value>(context: Context, actorId: string, value: Value): Value | null {
  if (value === null) return null;
  if (!context.setApart) return callerOf(context).actor.id === actorId ? value : null;
  context.setApart.add(actorId);
  return null;
}

/** Which other messages than that of the event a document shows: null for none. */
export function otherMessagesIn(schema: GraphQLSchema, document: DocumentNode): 'ANY' | 'REPLIED_TO' | null {
  if (selects(schema, document, (field) => field?.extensions.otherMessages === 'ANY')) return 'ANY';
  return selects(schema, document, (field) => field?.extensions.otherMessages === 'REPLIED_TO') ? 'REPLIED_TO' : null;
}

/** Whether a document selects a field that is each viewer's own. */
export function dependsOnViewer(schema: GraphQLSchema, document: DocumentNode): boolean {
  return selects(schema, document, (field) => field?.extensions.viewerDependent === true);
}

type Field = GraphQLField<unknown, unknown> | null | undefined;

function selects(schema: GraphQLSchema, document: DocumentNode, isWanted: (field: Field) => boolean): boolean {
  const types = new TypeInfo(schema);
  let found = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const field = types.getFieldDef();
        if (isWanted(field)) found = true;
        // A field of an interface counts as that of any type that implements it.
        const parent = types.getParentType();
        if (!field || !parent || isObjectType(parent)) return;
        const named = getNamedType(parent);
        if (named && 'getFields' in named && !isObjectType(named)) {
          const implementations = schema.getPossibleTypes(named as Parameters<typeof schema.getPossibleTypes>[0]);
          found ||= implementations.some((type) => isWanted(type.getFields()[field.name]));
        }
      },
    }),
  );
  return found;
}
