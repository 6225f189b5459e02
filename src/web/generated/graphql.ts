/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The new room. */
export type CreateRoomInput = {
  /** What the room is for. */
  kind: NewRoomKind;
  /** Who else is a member from the start: up to 100. */
  memberIds?: Array<string | number> | null | undefined;
  /** One line of 1 to 80 characters. */
  name: string;
  /** What it is about: up to 1000 characters. */
  topic?: string | null | undefined;
};

/** Which message. */
export type DeleteMessageInput = {
  /** The id of the message. */
  messageId: string | number;
};

/** Which message, and what it says from now on. */
export type EditMessageInput = {
  /** Simple Markdown, 1 to 40000 characters after trimming. `<@user_…>` mentions a member (up to 50), `<!room>` everybody. */
  body: string;
  /** The id of the message. */
  messageId: string | number;
};

/** How far the viewer has read. */
export type MarkReadInput = {
  /** The last message read; left out, everything there is: for opening a room. */
  messageId?: string | number | null | undefined;
  /** The id of the room. */
  roomId: string | number;
};

/** What a message is. */
export type MessageKind =
  /** A file. */
  | 'FILE'
  /** Text that mentions members, or the whole room. */
  | 'MENTION'
  /** A report of what happened in the room, as in `systemEvent`; never unread. */
  | 'SYSTEM'
  /** Text. */
  | 'TEXT';

/** The kinds of room that are created by name. Direct rooms are opened. */
export type NewRoomKind =
  /** Listed for everybody in the tenant, and open to join. */
  | 'CHANNEL'
  /** Seen by its members only. */
  | 'GROUP';

/** With whom. */
export type OpenDirectRoomInput = {
  /** The other side: a user or service account of the tenant. */
  userId: string | number;
};

/** Why not everything could be delivered. */
export type ResyncReason =
  /** The changes since the cursor are not kept any more. */
  | 'CURSOR_TOO_OLD'
  /** Too many events waited for this subscriber. The subscription ends; subscribe again. */
  | 'TOO_SLOW';

/** What a room is for. */
export type RoomKind =
  /** Listed for everybody in the tenant, and open to join. */
  | 'CHANNEL'
  /** With a contact: the inbox side. */
  | 'CONVERSATION'
  /** Two people; one room for each two, for good. */
  | 'DIRECT'
  /** Seen by its members only; members add others. */
  | 'GROUP';

/** What a member is in a room; adds to what the role in the tenant allows. */
export type RoomRole =
  /** Reads and writes. */
  | 'MEMBER'
  /** Adds and removes members, names the room, deletes others' messages. */
  | 'MODERATOR'
  /** Changes roles and archives, besides what a moderator does. */
  | 'OWNER';

/** The message. */
export type SendMessageInput = {
  /** Simple Markdown, 1 to 40000 characters after trimming. `<@user_…>` mentions a member (up to 50), `<!room>` everybody. */
  body: string;
  /** Chosen by the client, up to 64 characters, and different for each of the viewer's messages in the room. A second send with the same nonce gives the first message. */
  nonce?: string | null | undefined;
  /** The message of the same room to which it replies. */
  replyToId?: string | number | null | undefined;
  /** Where to send it. */
  roomId: string | number;
};

/** What somebody is in the tenant; decides what the tenant lets them do. */
export type TenantRole =
  /** Manages rooms and members, and governs the tenant. */
  | 'ADMIN'
  /** Takes part: joins channels, opens direct rooms, writes. */
  | 'AGENT'
  /** A program. */
  | 'SERVICE'
  /** Manages rooms and members. */
  | 'SUPERVISOR';

type ActorParts_ServiceAccount_Fragment = { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null };

type ActorParts_User_Fragment = { __typename: 'User', id: string, name: string, pictureUrl: string | null };

export type ActorPartsFragment =
  | ActorParts_ServiceAccount_Fragment
  | ActorParts_User_Fragment
;

export type MemberPartsFragment = { role: RoomRole, joinedAt: string, readCursor: string, muted: boolean | null, actor:
    | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
    | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
   };

export type MessagePartsFragment = { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
    | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
    | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
  , replyTo: { id: string } | null };

export type RoomPartsFragment = { id: string, kind: RoomKind, name: string | null, topic: string | null, cursor: string, archivedAt: string | null, memberCount: number, unreadCount: number, lastActivityAt: string, lastMessage: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
      | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
      | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
    , replyTo: { id: string } | null } | null };

type UserErrorParts_EntitlementError_Fragment = { __typename: 'EntitlementError', code: string, reason: string };

type UserErrorParts_LastOwnerError_Fragment = { __typename: 'LastOwnerError', code: string, reason: string };

type UserErrorParts_LegalHoldError_Fragment = { __typename: 'LegalHoldError', code: string, reason: string };

type UserErrorParts_MessageDeletedError_Fragment = { __typename: 'MessageDeletedError', code: string, reason: string };

type UserErrorParts_NotFoundError_Fragment = { __typename: 'NotFoundError', code: string, reason: string };

type UserErrorParts_PurgeStateError_Fragment = { __typename: 'PurgeStateError', code: string, reason: string };

type UserErrorParts_RoomArchivedError_Fragment = { __typename: 'RoomArchivedError', code: string, reason: string };

type UserErrorParts_RoomKindError_Fragment = { __typename: 'RoomKindError', code: string, reason: string };

type UserErrorParts_SocketRequiredError_Fragment = { __typename: 'SocketRequiredError', code: string, reason: string };

type UserErrorParts_ValidationError_Fragment = { __typename: 'ValidationError', code: string, reason: string };

export type UserErrorPartsFragment =
  | UserErrorParts_EntitlementError_Fragment
  | UserErrorParts_LastOwnerError_Fragment
  | UserErrorParts_LegalHoldError_Fragment
  | UserErrorParts_MessageDeletedError_Fragment
  | UserErrorParts_NotFoundError_Fragment
  | UserErrorParts_PurgeStateError_Fragment
  | UserErrorParts_RoomArchivedError_Fragment
  | UserErrorParts_RoomKindError_Fragment
  | UserErrorParts_SocketRequiredError_Fragment
  | UserErrorParts_ValidationError_Fragment
;

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { role: TenantRole, permissions: Array<string>, tokenExpiresAt: string, actor:
      | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
      | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
     } };

export type UsersQueryVariables = Exact<{
  search?: string | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type UsersQuery = { users: { nodes: Array<{ __typename: 'User', id: string, name: string, pictureUrl: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type RoomMessagesQueryVariables = Exact<{
  roomId: string | number;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type RoomMessagesQuery = { room: { id: string, cursor: string, messages: { edges: Array<{ cursor: string, node: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
            | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
            | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
          , replyTo: { id: string } | null } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } | null } | null };

export type SendMessageMutationVariables = Exact<{
  input: SendMessageInput;
}>;


export type SendMessageMutation = { sendMessage:
    | { __typename: 'MessageDeletedError', code: string, reason: string }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'RoomArchivedError', code: string, reason: string }
    | { __typename: 'SendMessagePayload', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export type EditMessageMutationVariables = Exact<{
  input: EditMessageInput;
}>;


export type EditMessageMutation = { editMessage:
    | { __typename: 'EditMessagePayload', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'MessageDeletedError', code: string, reason: string }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'RoomArchivedError', code: string, reason: string }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export type DeleteMessageMutationVariables = Exact<{
  input: DeleteMessageInput;
}>;


export type DeleteMessageMutation = { deleteMessage:
    | { __typename: 'DeleteMessagePayload', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export type MessageAddedSubscriptionVariables = Exact<{
  roomId: string | number;
  after?: string | null | undefined;
}>;


export type MessageAddedSubscription = { messageAdded:
    | { __typename: 'MessageAdded', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'ResyncRequired', cursor: string, reason: ResyncReason }
   };

export type MessageChangedSubscriptionVariables = Exact<{
  roomId: string | number;
  after?: string | null | undefined;
}>;


export type MessageChangedSubscription = { messageChanged:
    | { __typename: 'MessageDeleted', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'MessageEdited', cursor: string, message: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } }
    | { __typename: 'MessageRemoved', cursor: string }
    | { __typename: 'MessagesPurged', cursor: string }
    | { __typename: 'MessagesRestored', cursor: string }
    | { __typename: 'ResyncRequired', cursor: string, reason: ResyncReason }
   };

export type MarkReadMutationVariables = Exact<{
  input: MarkReadInput;
}>;


export type MarkReadMutation = { markRead:
    | { __typename: 'MarkReadPayload', room: { id: string, unreadCount: number } | null }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export type RoomsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type RoomsQuery = { rooms: { nodes: Array<{ id: string, kind: RoomKind, name: string | null, topic: string | null, cursor: string, archivedAt: string | null, memberCount: number, unreadCount: number, lastActivityAt: string, lastMessage: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
        , replyTo: { id: string } | null } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type RoomQueryVariables = Exact<{
  id: string | number;
}>;


export type RoomQuery = { room: { id: string, kind: RoomKind, name: string | null, topic: string | null, cursor: string, archivedAt: string | null, memberCount: number, unreadCount: number, lastActivityAt: string, viewerMember: { role: RoomRole, joinedAt: string, readCursor: string, muted: boolean | null, actor:
        | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
        | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
       } | null, members: { nodes: Array<{ role: RoomRole, joinedAt: string, readCursor: string, muted: boolean | null, actor:
          | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
          | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
         }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } }, lastMessage: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
        | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
        | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
      , replyTo: { id: string } | null } | null } | null };

export type OpenDirectRoomMutationVariables = Exact<{
  input: OpenDirectRoomInput;
}>;


export type OpenDirectRoomMutation = { openDirectRoom:
    | { __typename: 'EntitlementError', code: string, reason: string }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'OpenDirectRoomPayload', room: { id: string, kind: RoomKind, name: string | null, topic: string | null, cursor: string, archivedAt: string | null, memberCount: number, unreadCount: number, lastActivityAt: string, lastMessage: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
            | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
            | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
          , replyTo: { id: string } | null } | null } | null }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export type CreateRoomMutationVariables = Exact<{
  input: CreateRoomInput;
}>;


export type CreateRoomMutation = { createRoom:
    | { __typename: 'CreateRoomPayload', room: { id: string, kind: RoomKind, name: string | null, topic: string | null, cursor: string, archivedAt: string | null, memberCount: number, unreadCount: number, lastActivityAt: string, lastMessage: { id: string, cursor: string, kind: MessageKind, body: string | null, nonce: string | null, createdAt: string, editedAt: string | null, deletedAt: string | null, author:
            | { __typename: 'ServiceAccount', id: string, name: string, pictureUrl: string | null }
            | { __typename: 'User', id: string, name: string, pictureUrl: string | null }
          , replyTo: { id: string } | null } | null } | null }
    | { __typename: 'EntitlementError', code: string, reason: string }
    | { __typename: 'NotFoundError', code: string, reason: string }
    | { __typename: 'ValidationError', code: string, reason: string }
   };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const ActorPartsFragmentDoc = new TypedDocumentString(`
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
    `, {"fragmentName":"ActorParts"}) as unknown as TypedDocumentString<ActorPartsFragment, unknown>;
export const MemberPartsFragmentDoc = new TypedDocumentString(`
    fragment MemberParts on Member {
  actor {
    ...ActorParts
  }
  role
  joinedAt
  readCursor
  muted
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}`, {"fragmentName":"MemberParts"}) as unknown as TypedDocumentString<MemberPartsFragment, unknown>;
export const MessagePartsFragmentDoc = new TypedDocumentString(`
    fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}`, {"fragmentName":"MessageParts"}) as unknown as TypedDocumentString<MessagePartsFragment, unknown>;
export const RoomPartsFragmentDoc = new TypedDocumentString(`
    fragment RoomParts on Room {
  id
  kind
  name
  topic
  cursor
  archivedAt
  memberCount
  unreadCount
  lastActivityAt
  lastMessage {
    ...MessageParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}`, {"fragmentName":"RoomParts"}) as unknown as TypedDocumentString<RoomPartsFragment, unknown>;
export const UserErrorPartsFragmentDoc = new TypedDocumentString(`
    fragment UserErrorParts on UserError {
  __typename
  code
  reason
}
    `, {"fragmentName":"UserErrorParts"}) as unknown as TypedDocumentString<UserErrorPartsFragment, unknown>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    actor {
      ...ActorParts
    }
    role
    permissions
    tokenExpiresAt
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}`, {"hash":"sha256:bb577c404248c80bb9dce2aaa62d01e7f349a8b3a57546bcc02d990126262a76"}) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;
export const UsersDocument = new TypedDocumentString(`
    query Users($search: String, $first: Int, $after: String) {
  users(search: $search, first: $first, after: $after) {
    nodes {
      ...ActorParts
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}`, {"hash":"sha256:725370f913d71301e67cfd621633c641f7ee170fcfc43680b96f5fd3ae5137c6"}) as unknown as TypedDocumentString<UsersQuery, UsersQueryVariables>;
export const RoomMessagesDocument = new TypedDocumentString(`
    query RoomMessages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  room(id: $roomId) {
    id
    cursor
    messages(first: $first, after: $after, last: $last, before: $before) {
      edges {
        cursor
        node {
          ...MessageParts
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}`, {"hash":"sha256:5eba8e9623eab62f8f7a0b095845e48d95996477dffa44919b11fca1b4ab125d"}) as unknown as TypedDocumentString<RoomMessagesQuery, RoomMessagesQueryVariables>;
export const SendMessageDocument = new TypedDocumentString(`
    mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessagePayload {
      cursor
      message {
        ...MessageParts
      }
    }
    ...UserErrorParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:a79cb66341efc8b49f5bcb9765bb4783a1dd799bd564ed928995f093fea3e3b5"}) as unknown as TypedDocumentString<SendMessageMutation, SendMessageMutationVariables>;
export const EditMessageDocument = new TypedDocumentString(`
    mutation EditMessage($input: EditMessageInput!) {
  editMessage(input: $input) {
    __typename
    ... on EditMessagePayload {
      cursor
      message {
        ...MessageParts
      }
    }
    ...UserErrorParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:ee5798425e51de74612bab913c9d38fdcd1a7f9df407bc40c34a2863069243ff"}) as unknown as TypedDocumentString<EditMessageMutation, EditMessageMutationVariables>;
export const DeleteMessageDocument = new TypedDocumentString(`
    mutation DeleteMessage($input: DeleteMessageInput!) {
  deleteMessage(input: $input) {
    __typename
    ... on DeleteMessagePayload {
      cursor
      message {
        ...MessageParts
      }
    }
    ...UserErrorParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:671c5eb80cd870f1fa88b25b8c7ea9cd6c44448fcab6de9c3f09eba34a77d026"}) as unknown as TypedDocumentString<DeleteMessageMutation, DeleteMessageMutationVariables>;
export const MessageAddedDocument = new TypedDocumentString(`
    subscription MessageAdded($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) {
    __typename
    ... on MessageAdded {
      cursor
      message {
        ...MessageParts
      }
    }
    ... on ResyncRequired {
      cursor
      reason
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}`, {"hash":"sha256:5af799dfd82af02fb1eb009323041b4300976f69f9436591ee49aa7b5dc363c7"}) as unknown as TypedDocumentString<MessageAddedSubscription, MessageAddedSubscriptionVariables>;
export const MessageChangedDocument = new TypedDocumentString(`
    subscription MessageChanged($roomId: ID!, $after: String) {
  messageChanged(roomId: $roomId, after: $after) {
    __typename
    ... on RoomChange {
      cursor
    }
    ... on MessageEdited {
      message {
        ...MessageParts
      }
    }
    ... on MessageDeleted {
      message {
        ...MessageParts
      }
    }
    ... on ResyncRequired {
      cursor
      reason
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}`, {"hash":"sha256:e5fe285642025eab2b14b13bdf5dfe7e192f070aac9d9bf228afa99f37f00e97"}) as unknown as TypedDocumentString<MessageChangedSubscription, MessageChangedSubscriptionVariables>;
export const MarkReadDocument = new TypedDocumentString(`
    mutation MarkRead($input: MarkReadInput!) {
  markRead(input: $input) {
    __typename
    ... on MarkReadPayload {
      room {
        id
        unreadCount
      }
    }
    ...UserErrorParts
  }
}
    fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:4172d94eb5188db8d35ee106905f6771a2e7090e501f4a1d4166acd291ed05cc"}) as unknown as TypedDocumentString<MarkReadMutation, MarkReadMutationVariables>;
export const RoomsDocument = new TypedDocumentString(`
    query Rooms($first: Int, $after: String) {
  rooms(first: $first, after: $after) {
    nodes {
      ...RoomParts
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment RoomParts on Room {
  id
  kind
  name
  topic
  cursor
  archivedAt
  memberCount
  unreadCount
  lastActivityAt
  lastMessage {
    ...MessageParts
  }
}`, {"hash":"sha256:a4a3d4f176261b12c4a8d3d6533a68537c2a7effb528fbc3c105258dff480fdf"}) as unknown as TypedDocumentString<RoomsQuery, RoomsQueryVariables>;
export const RoomDocument = new TypedDocumentString(`
    query Room($id: ID!) {
  room(id: $id) {
    ...RoomParts
    viewerMember {
      ...MemberParts
    }
    members {
      nodes {
        ...MemberParts
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MemberParts on Member {
  actor {
    ...ActorParts
  }
  role
  joinedAt
  readCursor
  muted
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment RoomParts on Room {
  id
  kind
  name
  topic
  cursor
  archivedAt
  memberCount
  unreadCount
  lastActivityAt
  lastMessage {
    ...MessageParts
  }
}`, {"hash":"sha256:8de0f7ce68be9ea2faf43f91f47c52878976202b8c6a9627d27ddd2928f604b0"}) as unknown as TypedDocumentString<RoomQuery, RoomQueryVariables>;
export const OpenDirectRoomDocument = new TypedDocumentString(`
    mutation OpenDirectRoom($input: OpenDirectRoomInput!) {
  openDirectRoom(input: $input) {
    __typename
    ... on OpenDirectRoomPayload {
      room {
        ...RoomParts
      }
    }
    ...UserErrorParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment RoomParts on Room {
  id
  kind
  name
  topic
  cursor
  archivedAt
  memberCount
  unreadCount
  lastActivityAt
  lastMessage {
    ...MessageParts
  }
}
fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:9afa6145d535cfa0f2f4bfd9c7e8c4f60fb54c15871971bc7d821ed0229917e9"}) as unknown as TypedDocumentString<OpenDirectRoomMutation, OpenDirectRoomMutationVariables>;
export const CreateRoomDocument = new TypedDocumentString(`
    mutation CreateRoom($input: CreateRoomInput!) {
  createRoom(input: $input) {
    __typename
    ... on CreateRoomPayload {
      room {
        ...RoomParts
      }
    }
    ...UserErrorParts
  }
}
    fragment ActorParts on Actor {
  __typename
  id
  name
  pictureUrl
}
fragment MessageParts on Message {
  id
  cursor
  kind
  body
  nonce
  author {
    ...ActorParts
  }
  replyTo {
    id
  }
  createdAt
  editedAt
  deletedAt
}
fragment RoomParts on Room {
  id
  kind
  name
  topic
  cursor
  archivedAt
  memberCount
  unreadCount
  lastActivityAt
  lastMessage {
    ...MessageParts
  }
}
fragment UserErrorParts on UserError {
  __typename
  code
  reason
}`, {"hash":"sha256:8cd6365c77c08837ebf9c22950856ce728b2ab5f9177453a483d0cb41da750dd"}) as unknown as TypedDocumentString<CreateRoomMutation, CreateRoomMutationVariables>;