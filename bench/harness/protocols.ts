import { MessageAddedDocument, SendMessageDocument } from '../../src/web/generated/graphql.ts';
import type { Program } from './processes.ts';

/** A server that delivers messages to sockets, and how one speaks with it. What stands in braces is filled in. */
export interface Delivering {
  readonly name: string;
  /** The process that holds the sockets. */
  readonly server: Program;
  readonly opening: {
    readonly url: string;
    readonly path: string;
    readonly subprotocol?: string;
    readonly steps: readonly { readonly send?: string; readonly expect?: string }[];
    readonly keepAlive?: { readonly ask: string; readonly answer: string };
  };
  readonly sending: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly expects: string;
  };
}

const listening = String(MessageAddedDocument);

/** What the peers deliver: a message as Prosa's own operation shows it, of the same length. */
const message = {
  __typename: 'MessageAdded',
  cursor: 'cm9vbTowMTk5YjJjMy1kNGU1LTdmMDYtODE3Mi05M2E0YjVjNmQ3ZTg6MTIzNDU2',
  message: {
    id: 'msg_01k6s2r7d9f1s85wksn8skjbq8',
    cursor: 'cm9vbTowMTk5YjJjMy1kNGU1LTdmMDYtODE3Mi05M2E0YjVjNmQ3ZTg6MTIzNDU2',
    kind: 'TEXT',
    body: '{text}',
    nonce: null,
    author: { __typename: 'Actor', id: 'user_01k6s2r7d9f1s85wksn8skjbq8', name: 'ana', pictureUrl: null },
    replyTo: null,
    createdAt: '2026-11-21T06:30:00.000Z',
    editedAt: null,
    deletedAt: null,
  },
};

const toPeer = (sender: Program): Delivering['sending'] => ({
  url: new URL('/send', sender.url).href,
  headers: {},
  body: JSON.stringify({ message }).replace('{', '{"room":"{room}",'),
  expects: '"sent":true',
});

const overGraphql = (
  server: Program,
  init: object,
  query: string,
  variables: Readonly<Record<string, string>>,
): Delivering['opening'] => ({
  url: server.url,
  path: '/graphql',
  subprotocol: 'graphql-transport-ws',
  steps: [
    { send: JSON.stringify({ type: 'connection_init', payload: init }), expect: '"connection_ack"' },
    { send: JSON.stringify({ id: '{id}', type: 'subscribe', payload: { query, variables } }) },
  ],
  keepAlive: { ask: '{"type":"ping"}', answer: '{"type":"pong"}' },
});

/**
 * Prosa, with the operations of its own front ends. Each socket is of the person whose `token` it has.
 * @param options.token of who sends.
 * @param options.sender the process over which messages are sent; absent: the one that holds the sockets.
 * @param options.resumes whether each socket goes on `after` a cursor.
 */
export function prosa(
  server: Program,
  options: { readonly token: string; readonly sender?: Program; readonly resumes?: boolean },
): Delivering {
  const { token, sender = server, resumes = false } = options;
  const variables = { roomId: '{room}', ...(resumes ? { after: '{after}' } : {}) };
  const input = { roomId: '{room}', body: '{text}', nonce: '{nonce}' };
  return {
    name: 'Prosa',
    server,
    opening: overGraphql(server, { token: '{token}' }, listening, variables),
    sending: {
      url: sender.url,
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: String(SendMessageDocument), variables: { input } }),
      expects: '"SendMessagePayload"',
    },
  };
}

/** @param sender as for `prosa`. */
export function rawFrame(server: Program, sender = server): Delivering {
  const opening = { url: server.url, path: '/?room={room}', steps: [] };
  return { name: 'raw frame', server, opening, sending: toPeer(sender) };
}

export function plainGraphqlWs(server: Program): Delivering {
  const query = listening
    .replace('($roomId: ID!, $after: String)', '($roomId: ID!)')
    .replace('(roomId: $roomId, after: $after)', '(roomId: $roomId)')
    .replace('... on MessageAdded {', '... {')
    .replace(/\.\.\. on ResyncRequired \{[^}]*\}/, '');
  const opening = overGraphql(server, {}, query, { roomId: '{room}' });
  return { name: 'plain graphql-ws', server, opening, sending: toPeer(server) };
}

export function socketIo(server: Program): Delivering {
  return {
    name: 'Socket.IO',
    server,
    opening: {
      url: server.url,
      path: '/socket.io/?EIO=4&transport=websocket',
      steps: [{ expect: '0{' }, { send: '40', expect: '40{' }, { send: '420["join","{room}"]', expect: '430[]' }],
      keepAlive: { ask: '2', answer: '3' },
    },
    sending: toPeer(server),
  };
}
