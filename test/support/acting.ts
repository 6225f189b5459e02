import { getNullableType, isUnionType } from 'graphql';
import { schema } from '../../src/graphql/schema.ts';
import type { Answer, Client } from './client.ts';
import { at, textAt } from './json.ts';

/** A mutation by its name, with what its payload shall show. The typed errors show themselves. */
export function mutationDocument(name: string, selection = '__typename'): string {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return `mutation Act($input: ${type}Input!) {
    ${name}(input: $input) {
      __typename
      ... on UserError { code reason }
      ${withField(name)
        .map((error) => `... on ${error} { field }`)
        .join(' ')}
      ... on ${type}Payload { ${selection} }
    }
  }`;
}

/** The typed errors of a mutation that name an argument. */
function withField(name: string): string[] {
  const field = schema.getMutationType()?.getFields()[name];
  const result = field && getNullableType(field.type);
  const types = isUnionType(result) ? result.getTypes() : [];
  return types.map((type) => type.name).filter((type) => type === 'ValidationError' || type === 'NotFoundError');
}

/** Tries a mutation, whatever comes of it. */
export function attempt(client: Client, name: string, input: object, selection?: string): Promise<Answer> {
  return client.query(mutationDocument(name, selection), { input });
}

/**
 * Does a mutation.
 * @returns its payload.
 * @throws Error that shows the answer, when it was refused.
 */
export async function act(client: Client, name: string, input: object, selection?: string): Promise<unknown> {
  const answer = await attempt(client, name, input, selection);
  const payload = at(answer.data, name);
  if (!textAt(answer, `data.${name}.__typename`).endsWith('Payload')) {
    throw new Error(`${name} was refused: ${JSON.stringify(answer)}`);
  }
  return payload;
}

/** @returns the id of the message and its cursor. */
export async function send(
  client: Client,
  roomId: string,
  body: string,
  more: { readonly nonce?: string; readonly replyToId?: string } = {},
): Promise<{ id: string; cursor: string }> {
  const sent = await act(client, 'sendMessage', { roomId, body, ...more }, 'cursor message { id }');
  return { id: textAt(sent, 'message.id'), cursor: textAt(sent, 'cursor') };
}

/** @returns the id of the new room. */
export async function createRoom(client: Client, input: { kind: string; name: string; memberIds?: readonly string[] }) {
  return textAt(await act(client, 'createRoom', input, 'room { id }'), 'room.id');
}

/** @returns the id of the direct room. */
export async function openDirectRoom(client: Client, userId: string): Promise<string> {
  return textAt(await act(client, 'openDirectRoom', { userId }, 'room { id }'), 'room.id');
}
