import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  parse,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';

/**
 * The documents that clients send, parsed and validated once for each text: whoever sends it again, over whatever
 * transport, gets the same node. What else is worked out for a document can therefore be kept by its node.
 */
export interface Documents {
  /** @throws GraphQLError for a text that cannot be parsed. */
  parse(text: string): DocumentNode;
  /** What is wrong with a document; nothing for one that can be executed. */
  validate(document: DocumentNode): readonly GraphQLError[];
  /** The document of a text that was found valid lately; null for any other, valid or not. */
  findValid(text: string): DocumentNode | null;
}

/** How many documents are kept, and how many characters of text in all: the node of a text takes some 30 times as much. */
const keptDocuments = 2_000;
const keptCharacters = 2_000_000;
/** Longer ones are not kept: they would push out many others. */
const longestKept = 50_000;

/** @param rules of validation, besides those of the specification; they have to depend on the document alone. */
export function createDocuments(schema: GraphQLSchema, rules: readonly ValidationRule[], maxTokens: number): Documents {
  /** By text, the one that was used last at the end: a Map keeps the order of insertion. */
  const kept = new Map<string, DocumentNode>();
  const valid = new WeakSet<DocumentNode>();
  const allRules = [...specifiedRules, ...rules];
  let characters = 0;

  function find(text: string): DocumentNode | null {
    const document = kept.get(text);
    if (!document) return null;
    kept.delete(text);
    kept.set(text, document);
    return document;
  }

  function keep(text: string, document: DocumentNode): void {
    if (text.length > longestKept) return;
    kept.set(text, document);
    characters += text.length;
    for (const [oldest] of kept) {
      if (kept.size <= keptDocuments && characters <= keptCharacters) return;
      kept.delete(oldest);
      characters -= oldest.length;
    }
  }

  return {
    parse(text) {
      const known = find(text);
      if (known) return known;
      const document = parsed(text, maxTokens);
      keep(text, document);
      return document;
    },
    validate(document) {
      if (valid.has(document)) return [];
      const errors = unlessTooDeep(() => validate(schema, document, allRules)) ?? [tooDeep()];
      if (errors.length === 0) valid.add(document);
      return errors;
    },
    findValid(text) {
      const document = find(text);
      return document && valid.has(document) ? document : null;
    },
  };
}

/** The same code for every transport; yoga gives it over HTTP only. */
function parsed(text: string, maxTokens: number): DocumentNode {
  try {
    const document = unlessTooDeep(() => parse(text, { maxTokens }));
    if (document) return document;
  } catch (error) {
    if (error instanceof GraphQLError) Object.assign(error.extensions, { code: parseFailed });
    throw error;
  }
  throw tooDeep();
}

const parseFailed = 'GRAPHQL_PARSE_FAILED';

function tooDeep(): GraphQLError {
  return new GraphQLError('Syntax Error: It is nested too deeply.', { extensions: { code: parseFailed } });
}

/**
 * graphql-js calls itself for each level, and a few thousand tokens can be as many levels: how many the stack holds is
 * not the same each time. @returns null where it did not hold them.
 */
function unlessTooDeep<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
