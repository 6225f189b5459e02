import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import type { GraphiQLOptions } from 'graphql-yoga';
import { adminTabs } from './adminTabs.ts';

const rooms = `# The demo user's rooms, the last active first.
# Run it with the button on the right, or Ctrl-Enter.
query Rooms {
  viewer {
    actor { id name }
    role
  }
  rooms(first: 10) {
    nodes {
      id
      kind
      name
      unreadCount
      lastMessage { body author { name } }
    }
  }
}`;

const messages = `# The newest messages of a room. For the page before,
# add "before" with the startCursor to the variables.
query Messages($room: ID!, $before: String) {
  room(id: $room) {
    name
    cursor
    messages(last: 20, before: $before) {
      pageInfo { hasPreviousPage startCursor }
      nodes {
        id
        body
        createdAt
        author { name }
        replyTo { body }
      }
    }
  }
}`;

const send = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    ... on SendMessagePayload {
      cursor
      message { id body createdAt }
    }
    ... on UserError { code reason }
  }
}`;

const follow = `# Runs until it is stopped, or the tab is left. Open
# GraphiQL in a second window, send a message there,
# and see it arrive here.
subscription Follow($room: ID!) {
  messageAdded(roomId: $room) {
    ... on MessageAdded {
      cursor
      message { id body author { name } }
    }
    ... on ResyncRequired { reason cursor }
  }
}`;

const bubble = (size: number) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="${size}" height="${size}"><path fill="#0f766e" d="M6 3h20a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H15l-7 6v-6H6a4 4 0 0 1-4-4V7a4 4 0 0 1 4-4z"/><path stroke="#fff" stroke-width="2.4" stroke-linecap="round" d="M8 10h16M8 16h10"/></svg>`;

/**
 * GraphiQL's tabs to start from.
 * @param token of a demo user in development: filled into the headers of every tab.
 * @param room the public id of a room to start with, or null.
 */
export function graphiqlOptions(token: string | null, room: string | null): GraphiQLOptions {
  // Empty, it counts as absent: the schema's documentation loads without a token too.
  const defaultHeaders = JSON.stringify({ authorization: token ? `Bearer ${token}` : '' }, null, 2);
  const withRoom = (variables: object) => JSON.stringify(variables, null, 2);
  const roomId = room ?? 'room_…';
  return {
    title: 'Prosa',
    logo: bubble(28),
    favicon: `data:image/svg+xml,${encodeURIComponent(bubble(32))}`,
    subscriptionsProtocol: 'WS',
    // Tokens stay out of the browser's storage, and a tab from before a restart gets the present one.
    shouldPersistHeaders: false,
    defaultHeaders,
    defaultTabs: [
      { query: rooms },
      { query: messages, variables: withRoom({ room: roomId }) },
      { query: send, variables: withRoom({ input: { roomId, body: 'Hello!' } }) },
      { query: follow, variables: withRoom({ room: roomId }) },
      ...adminTabs(roomId),
    ],
  };
}

/**
 * Starts GraphiQL in the page.
 * - A WebSocket cannot carry headers, and GraphiQL leaves them away there: those of the open tab go with `connectionInit`.
 * - Tabs that GraphiQL kept from other examples (the data was deleted, and with it the rooms that they name) make way for
 *   the present ones.
 * - Loaded again, GraphiQL looks for a tab with the query last edited, and opens an empty one where there is none: the tab
 *   that was open is that one.
 * - Pressed for the first time, a tab jumps aside for an instant and the click misses it: tabs are kept in place.
 */
const startScript = `
  const examples = JSON.stringify(options.defaultTabs.map(({ query, variables }) => [query, variables]));
  if (localStorage.getItem('prosa:examples') !== examples) {
    for (const key of ['tabState', 'query', 'variables']) localStorage.removeItem('graphiql:' + key);
    localStorage.setItem('prosa:examples', examples);
  }
  const kept = JSON.parse(localStorage.getItem('graphiql:tabState') ?? 'null');
  const tab = kept?.tabs?.[kept.activeTabIndex];
  for (const key of ['query', 'variables']) if (tab) localStorage.setItem('graphiql:' + key, tab[key] ?? '');
  const style = document.createElement('style');
  style.textContent = '.graphiql-tab { transform: none !important }';
  document.head.append(style);
  let headers = options.defaultHeaders;
  YogaGraphiQL.renderYogaGraphiQL(root, {
    ...options,
    onTabChange: ({ tabs, activeTabIndex }) => (headers = tabs[activeTabIndex].headers ?? options.defaultHeaders),
    onEditQuery: () => {},
    defaultEditorToolsVisibility: 'variables',
    connectionParams: () => JSON.parse(headers || '{}'),
  });`;

const start = 'YogaGraphiQL.renderYogaGraphiQL(';

/** The page of GraphiQL, whole: it loads nothing from elsewhere. */
export function renderGraphiql(options?: GraphiQLOptions): string {
  const page = renderGraphiQL(options);
  const at = page.lastIndexOf(start);
  if (at < 0) throw new Error('GraphiQL is started in another way than this was written for');
  return `${page.slice(0, at)}((root, options) => {${startScript}\n})(${page.slice(at + start.length)}`;
}
