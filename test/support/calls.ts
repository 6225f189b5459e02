/** What the calls of one round are about. Public ids. */
export interface Place {
  readonly room: string;
  /** A message in it, by `member`. */
  readonly message: string;
  /** Somebody who is a member of the room. */
  readonly member: string;
  /** Somebody of the tenant who is not. */
  readonly stranger: string;
  readonly purge: string;
}

/** The ids of a place. */
export function idsOf(place: Place): string[] {
  return Object.values(place);
}

const result = '{ __typename ... on UserError { code } }';

function mutation(name: string, inputOf: (place: Place) => Readonly<Record<string, unknown>>) {
  return (place: Place) => `${name}(input: ${literal(inputOf(place))}) ${result}`;
}

/** A value of an enum, which GraphQL writes without quotes. */
interface EnumValue {
  readonly name: string;
}
const value = (name: string): EnumValue => ({ name });

function literal(input: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(input).map(
    ([name, given]) => `${name}: ${isEnum(given) ? given.name : JSON.stringify(given)}`,
  );
  return `{ ${fields.join(', ')} }`;
}

function isEnum(given: unknown): given is EnumValue {
  return typeof given === 'object' && given !== null && 'name' in given;
}

const longAgo = '2001-01-01T00:00:00.000Z';
const inRoom = ({ room }: Place) => ({ roomId: room });

/** How each root field is called with valid arguments. A new one has to be added: the tests fail until it is. */
export const calls: Readonly<Record<string, (place: Place) => string>> = {
  'Query.auditLog': () => 'auditLog { nodes { number } }',
  'Query.auditVerification': () => 'auditVerification { intact }',
  'Query.governancePolicy': ({ room }) => `governancePolicy(roomId: "${room}") { __typename }`,
  'Query.node': ({ room }) => `node(id: "${room}") { id }`,
  'Query.nodes': ({ room, message, member, purge }) =>
    `nodes(ids: ["${room}", "${message}", "${member}", "${purge}"]) { id }`,
  'Query.permissions': () => 'permissions { permission }',
  'Query.purgePreview': ({ room }) =>
    `purgePreview(input: { before: "${longAgo}", mode: SOFT, roomId: "${room}" }) { __typename }`,
  'Query.purges': () => 'purges { nodes { id } }',
  'Query.room': ({ room }) => `room(id: "${room}") { id }`,
  'Query.roomPolicies': () => 'roomPolicies { nodes { __typename } }',
  'Query.rooms': () => 'rooms(list: CHANNELS) { nodes { id name } }',
  'Query.serverTime': () => 'serverTime',
  'Query.silentRooms': () => 'silentRooms(days: 1) { nodes { __typename } }',
  'Query.users': () => 'users { nodes { id name } }',
  'Query.viewer': () => 'viewer { actor { id name } }',

  'Mutation.addMembers': mutation('addMembers', ({ room, stranger }) => ({ roomId: room, userIds: [stranger] })),
  'Mutation.archiveRoom': mutation('archiveRoom', inRoom),
  'Mutation.cancelPurge': mutation('cancelPurge', ({ purge }) => ({ id: purge })),
  'Mutation.createRoom': mutation('createRoom', ({ member }) => ({
    kind: value('GROUP'),
    name: 'New',
    memberIds: [member],
  })),
  'Mutation.deactivateUser': mutation('deactivateUser', ({ stranger }) => ({ userId: stranger })),
  'Mutation.deleteMessage': mutation('deleteMessage', ({ message }) => ({ messageId: message })),
  'Mutation.editMessage': mutation('editMessage', ({ message }) => ({ messageId: message, body: 'other' })),
  'Mutation.grantPermission': mutation('grantPermission', () => ({ role: value('AGENT'), permission: 'audit:read' })),
  'Mutation.joinRoom': mutation('joinRoom', inRoom),
  'Mutation.leaveRoom': mutation('leaveRoom', inRoom),
  'Mutation.markRead': mutation('markRead', inRoom),
  'Mutation.muteRoom': mutation('muteRoom', inRoom),
  'Mutation.openDirectRoom': mutation('openDirectRoom', ({ stranger }) => ({ userId: stranger })),
  'Mutation.purgeAuditLog': mutation('purgeAuditLog', () => ({ before: longAgo })),
  'Mutation.purgeMessages': mutation('purgeMessages', ({ room }) => ({
    before: longAgo,
    mode: value('SOFT'),
    roomId: room,
  })),
  'Mutation.reactivateUser': mutation('reactivateUser', ({ stranger }) => ({ userId: stranger })),
  'Mutation.removeMember': mutation('removeMember', ({ room, member }) => ({ roomId: room, userId: member })),
  'Mutation.removeMessage': mutation('removeMessage', ({ message }) => ({ messageId: message })),
  'Mutation.renewToken': mutation('renewToken', () => ({ token: 'a.b.c' })),
  'Mutation.revokePermission': mutation('revokePermission', () => ({ role: value('AGENT'), permission: 'room:join' })),
  'Mutation.sendMessage': mutation('sendMessage', ({ room }) => ({ roomId: room, body: 'hello' })),
  'Mutation.setEmbedding': mutation('setEmbedding', () => ({ frameAncestors: ['https://host.example'] })),
  'Mutation.setLegalHold': mutation('setLegalHold', ({ room }) => ({ roomId: room, held: true, reason: 'a case' })),
  'Mutation.setMemberRole': mutation('setMemberRole', ({ room, member }) => ({
    roomId: room,
    userId: member,
    role: value('MODERATOR'),
  })),
  'Mutation.setPresence': mutation('setPresence', () => ({ status: value('AWAY') })),
  'Mutation.setRetention': mutation('setRetention', ({ room }) => ({ roomId: room, days: 30 })),
  'Mutation.setSilentDays': mutation('setSilentDays', () => ({ days: 30 })),
  'Mutation.setTyping': mutation('setTyping', inRoom),
  'Mutation.unarchiveRoom': mutation('unarchiveRoom', inRoom),
  'Mutation.undoPurge': mutation('undoPurge', ({ purge }) => ({ id: purge })),
  'Mutation.updateRoom': mutation('updateRoom', ({ room }) => ({ roomId: room, name: 'Other' })),

  'Subscription.messageAdded': ({ room }) => `messageAdded(roomId: "${room}") { __typename }`,
  'Subscription.messageChanged': ({ room }) => `messageChanged(roomId: "${room}") { __typename }`,
  'Subscription.presence': ({ member }) => `presence(userIds: ["${member}"]) { __typename }`,
  'Subscription.purgeProgress': ({ purge }) => `purgeProgress(id: "${purge}") { __typename }`,
  'Subscription.roomEvents': ({ room }) => `roomEvents(roomId: "${room}") { __typename }`,
  'Subscription.typing': ({ room }) => `typing(roomId: "${room}") { __typename }`,
};
