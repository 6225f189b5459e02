/**
 * SQL for a row with the current `snapshot`, as text, that stays true over a crash of PostgreSQL. The ids of
 * transactions that were rolled back without their trace having reached the disk are given out again after a crash: a
 * snapshot that had seen them end would take the new ones for seen. The message, which nobody reads, makes the
 * statement's commit flush the log: only use it where the statement commits by itself.
 */
export const lastingSnapshot =
  "(SELECT pg_current_snapshot()::text AS snapshot, pg_logical_emit_message(true, 'prosa', '') AS flushed)";
