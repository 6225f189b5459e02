import { type FieldNode, type GraphQLField, getArgumentValues, isNonNullType, Kind, visit } from 'graphql';
import type { Variables } from './completion.ts';

type Args = Record<string, unknown>;

/** @throws for an argument that is not there or not right. */
export type ArgumentsOf = (variables: Variables) => Args;

/**
 * What `getArgumentValues` of graphql-js gives for a field, worked out before as far as it does not depend on variables: it
 * looks at the document and the schema anew each time, through objects that V8 keeps as dictionaries.
 * @throws for what is wrong whatever the variables are.
 */
export function argumentsOf(field: GraphQLField<unknown, unknown>, node: FieldNode): ArgumentsOf {
  const values = new Map(node.arguments?.map(({ name, value }) => [name.value, value]));
  const asGraphqlJs: ArgumentsOf = (variables) => getArgumentValues(field, node, variables);
  const plain = field.args.filter(({ name }) => values.get(name)?.kind !== Kind.VARIABLE);
  // A variable inside a list or an object: what becomes of it, graphql-js shall say.
  if (plain.some(({ name }) => holdsVariable(values.get(name)))) return asGraphqlJs;
  const constant = getArgumentValues({ ...field, args: plain }, node);
  if (plain.length === field.args.length) return () => constant;
  const constants = new Map(Object.entries(constant));
  const steps = field.args.map(({ name, type, defaultValue }) => {
    const value = values.get(name);
    if (value?.kind !== Kind.VARIABLE) return { name, variable: null, absent: constants.get(name), isRequired: false };
    return { name, variable: value.name.value, absent: defaultValue, isRequired: isNonNullType(type) };
  });
  return (variables) => {
    const args: Args = {};
    for (const { name, variable, absent, isRequired } of steps) {
      const isGiven = variable !== null && Object.hasOwn(variables, variable);
      const value = isGiven ? variables[variable] : absent;
      if (value == null && isRequired) return asGraphqlJs(variables);
      if (value !== undefined) args[name] = value;
      else if (isGiven) return asGraphqlJs(variables);
    }
    return args;
  };
}

function holdsVariable(node: Parameters<typeof visit>[0] | undefined): boolean {
  let holds = false;
  if (node) {
    visit(node, {
      Variable() {
        holds = true;
      },
    });
  }
  return holds;
}
