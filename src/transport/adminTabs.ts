// The tabs of GraphiQL for admins; docs/admin.md walks through them.

const preview = `# For admins. What a purge would take away: nothing is
# done yet. Set "before" in the variables; without a
# room it is about all rooms of the tenant.
query PurgePreview($input: PurgePreviewInput!) {
  purgePreview(input: $input) {
    messages
    rooms
    heldRooms
  }
}`;

const purge = `# Purges what the preview counted. SOFT can be undone
# for 24 hours, PERMANENT cannot. Take the id of the
# answer to the next tab.
mutation StartPurge($input: PurgeMessagesInput!) {
  purgeMessages(input: $input) {
    ... on PurgeMessagesPayload {
      purge { id status mode before }
    }
    ... on UserError { code reason }
  }
}`;

const watch = `# How far the purge is; ends when the purge has.
subscription PurgeProgress($id: ID!) {
  purgeProgress(id: $id) {
    status
    progress
    rows
    estimate
    finishedAt
    undoableUntil
  }
}`;

const stop = `# Both tabs in one: choose with the button on the right.
mutation CancelPurge($input: CancelPurgeInput!) {
  cancelPurge(input: $input) {
    ... on CancelPurgePayload { purge { status rows } }
    ... on UserError { code reason }
  }
}

mutation UndoPurge($input: UndoPurgeInput!) {
  undoPurge(input: $input) {
    ... on UndoPurgePayload { purge { status rows restored } }
    ... on UserError { code reason }
  }
}`;

const audit = `# Who did what, the newest first.
query AuditLog($filter: AuditLogFilter) {
  auditLog(first: 20, filter: $filter) {
    nodes {
      createdAt
      action
      actorName
      targetType
      targetId
      metadata { name value }
    }
  }
}`;

/** A time that no message of a new installation is before: what is run by mistake does nothing. */
const longAgo = '2026-01-01T00:00:00.000Z';

/** @param roomId the public id of a room to start with. */
export function adminTabs(roomId: string): { query: string; variables: string }[] {
  const input = { before: longAgo, roomId, mode: 'SOFT' };
  return [
    { query: preview, variables: { input } },
    { query: purge, variables: { input } },
    { query: watch, variables: { id: 'purge_…' } },
    { query: stop, variables: { input: { id: 'purge_…' } } },
    { query: audit, variables: { filter: {} } },
  ].map(({ query, variables }) => ({ query, variables: JSON.stringify(variables, null, 2) }));
}
