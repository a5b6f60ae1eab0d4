-- Settings of a connection and the frame of a unit of work.

-- name: use_wal
PRAGMA journal_mode = WAL

-- name: use_full_sync
PRAGMA synchronous = FULL

-- name: use_foreign_keys
PRAGMA foreign_keys = ON

-- name: forbid_writes
PRAGMA query_only = ON

-- name: permit_writes
PRAGMA query_only = OFF

-- name: begin_group
BEGIN IMMEDIATE

-- name: begin_reading
BEGIN

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: begin_unit
SAVEPOINT unit

-- name: end_unit
RELEASE unit

-- name: undo_unit
ROLLBACK TO unit

-- name: version
PRAGMA user_version

-- name: object_count
SELECT count(*) FROM sqlite_master
