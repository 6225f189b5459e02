import type { GraphiQLOptions } from 'graphql-yoga';

const query = `# The rooms of the demo user, the last active first. Run it with the button above, or Ctrl-Enter.
query Rooms {
  viewer { actor { id name } permissions }
  rooms(first: 10) {
    nodes { id kind name unreadCount lastMessage { body author { name } } }
  }
}`;

const page = `# Put a room's id from the first tab into the variables below.
query Page($room: ID!, $before: String) {
  room(id: $room) {
    name
    cursor
    messages(last: 20, before: $before) {
      pageInfo { hasPreviousPage startCursor }
      nodes { id body createdAt author { name } replyTo { body } }
    }
  }
}`;

const send = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    ... on SendMessagePayload { cursor message { id body createdAt } }
    ... on UserError { code message }
  }
}`;

const follow = `# Runs until it is stopped: send a message from the tab before, and see it arrive.
subscription Follow($room: ID!) {
  messageAdded(roomId: $room) {
    ... on MessageAdded { cursor message { id body author { name } } }
    ... on ResyncRequired { reason cursor }
  }
}`;

/**
 * GraphiQL's tabs to start from.
 * @param token of a demo user in development: filled into the headers of every tab.
 * @param room the public id of a room to start with, or null.
 */
export function graphiqlOptions(token: string | null, room: string | null): GraphiQLOptions {
  const headers = JSON.stringify({ authorization: token ? `Bearer ${token}` : 'Bearer <token>' }, null, 2);
  const withRoom = (variables: object) => JSON.stringify(variables, null, 2);
  return {
    title: 'Prosa',
    subscriptionsProtocol: 'WS',
    shouldPersistHeaders: true,
    headers,
    defaultHeaders: headers,
    defaultTabs: [
      { headers, query },
      { headers, query: page, variables: withRoom({ room: room ?? 'room_…' }) },
      {
        headers,
        query: send,
        variables: withRoom({ input: { roomId: room ?? 'room_…', body: 'Hello!', nonce: 'my-first-message' } }),
      },
      { headers, query: follow, variables: withRoom({ room: room ?? 'room_…' }) },
    ],
  };
}
