import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/**
 * The extension of a field whose value is not the same for all who may see its parent. A subscription that selects one
 * is executed for each viewer; any other is executed once for everybody.
 */
export const viewerDependent = { viewerDependent: true } as const;

/** Whether a document selects a field that depends on the viewer. */
export function dependsOnViewer(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let found = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const field = types.getFieldDef();
        if (field?.extensions.viewerDependent) found = true;
        // A field of an interface is as dependent as that of any type that implements it.
        const parent = types.getParentType();
        if (!field || !parent || isObjectType(parent)) return;
        const named = getNamedType(parent);
        if (named && 'getFields' in named && !isObjectType(named)) {
          const implementations = schema.getPossibleTypes(named as Parameters<typeof schema.getPossibleTypes>[0]);
          found ||= implementations.some((type) => type.getFields()[field.name]?.extensions.viewerDependent);
        }
      },
    }),
  );
  return found;
}
