/**
 * Every action that is written to the audit trail, as `resource.action`, with what happened. test/api/audit.test.ts does
 * each of them through the API and fails for one that it does not know: add it there too.
 */
export const auditActions = {
  'admin.signIn': 'an admin used a token for the first time',
  'user.deactivate': 'the access of somebody was ended',
  'user.reactivate': 'the access of somebody was given back',
  'permission.grant': 'a role in the tenant was granted a permission',
  'permission.revoke': 'a role in the tenant lost a permission',
  'room.create': 'a room was created, or a direct room opened',
  'room.rename': 'a room got another name',
  'room.archive': 'a room was archived',
  'room.unarchive': 'an archived room was brought back',
  'member.add': 'somebody was added to a room',
  'member.join': 'somebody joined a channel',
  'member.leave': 'somebody left a room',
  'member.remove': 'somebody was removed from a room',
  'member.setRole': 'the role of a member was changed',
  'message.delete': 'a message was deleted, by its author or another',
  'audit.purge': 'old entries of this trail were purged',
  'message.remove': 'a message was removed for good',
  'purge.create': 'messages are to be purged, by an admin or by retention',
  'purge.cancel': 'a purge was stopped',
  'purge.undo': 'what a purge hid is to be brought back',
  'purge.finish': 'a purge, or its undoing, came to its end',
  'retention.set': 'how long messages are kept was changed',
  'hold.set': 'a legal hold was put on the tenant or a room',
  'hold.lift': 'a legal hold was lifted',
  'silence.set': 'after how many days a room counts as silent was changed',
  'room.silent': 'rooms have been silent for long',
  'import.start': 'the export of another product began to be loaded',
  'import.finish': 'the export of another product was loaded',
  'tenant.embed': 'other sites were allowed to show the pages in frames, or not any more',
  'tenant.entitle': "what the tenant's plan includes was changed by the operator",
} as const satisfies Record<string, string>;

export type AuditAction = keyof typeof auditActions;
