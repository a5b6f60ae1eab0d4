-- The outbox. Conditions repeat those of the partial indexes word for word. Where another index begins with the same column, the
-- right one is named: by itself SQLite takes either, and one of them holds all that an app was ever sent.

-- name: add_outbox
INSERT INTO outbox (event_id, app_id, object, call_id, kind, body, created_at, hold, next_at, attempts, lane)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: release_outbox
UPDATE outbox SET hold = 'ready', next_at = :now WHERE id = :id AND hold = 'held'

-- name: release_all_outbox
UPDATE outbox SET hold = 'ready', next_at = ? WHERE hold = 'held'

-- name: outbox_row
SELECT
    event_id, app_id, object, call_id, kind, body, created_at, hold, next_at, attempts, id, settled_at, drop_reason, replay_at,
    lane
FROM outbox
WHERE id = ?

-- name: is_untried
SELECT EXISTS (SELECT 1 FROM outbox WHERE call_id = ? AND kind = ? AND hold IN ('held', 'ready') AND attempts = 0)

-- name: apps_with_ready_rows
SELECT id FROM apps
WHERE EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_fresh WHERE hold = 'ready' AND attempts = 0 AND app_id = apps.id)
    OR EXISTS (
        SELECT 1 FROM outbox INDEXED BY outbox_retries
        WHERE hold = 'ready' AND attempts > 0 AND app_id = apps.id AND next_at <= :now
    )
ORDER BY id

-- name: fresh_outbox
-- What was never tried is due, whatever the time: were the clock set back, an older row would let a newer one of its call pass.
SELECT id, app_id, lane, attempts
FROM outbox AS fresh INDEXED BY outbox_fresh
WHERE fresh.hold = 'ready'
    AND fresh.attempts = 0
    AND fresh.app_id = :app_id
    AND (fresh.call_id IS NULL) = :is_of_no_call
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.hold = 'held'
            AND earlier.app_id = fresh.app_id
            AND earlier.lane = fresh.lane
            AND earlier.id < fresh.id
    )
ORDER BY fresh.id
LIMIT :per_app

-- name: retries_outbox
SELECT id, app_id, lane, attempts
FROM outbox INDEXED BY outbox_retries
WHERE hold = 'ready' AND attempts > 0 AND app_id = :app_id AND next_at <= :now
ORDER BY next_at, id
LIMIT :per_app

-- name: next_outbox_at
SELECT min(next_at) FROM outbox WHERE hold = 'ready' AND next_at > ?

-- name: outbox_delivered
UPDATE outbox SET hold = 'delivered', settled_at = :now, drop_reason = NULL, attempts = attempts + 1
WHERE id = :id AND hold <> 'delivered'

-- name: outbox_failed
UPDATE outbox SET attempts = attempts + 1, next_at = coalesce(:next_at, next_at) WHERE id = :id AND hold <> 'delivered'

-- name: drop_outbox
UPDATE outbox SET hold = 'dropped', settled_at = :now, drop_reason = :reason WHERE id = :id AND hold = 'ready'

-- name: replay_outbox
UPDATE outbox SET replay_at = :now
WHERE id = :id
    AND hold IN ('delivered', 'dropped')
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier INDEXED BY outbox_by_call
        WHERE earlier.call_id = outbox.call_id
            AND earlier.app_id = outbox.app_id
            AND earlier.id < outbox.id
            AND earlier.hold IN ('held', 'ready')
    )

-- name: apps_with_replays
SELECT DISTINCT app_id FROM outbox WHERE replay_at IS NOT NULL ORDER BY app_id

-- name: replays_outbox
SELECT id, app_id, lane, attempts FROM outbox INDEXED BY outbox_replays
WHERE replay_at IS NOT NULL AND app_id = :app_id
ORDER BY id
LIMIT :per_app

-- name: outbox_replayed
UPDATE outbox SET
    attempts = attempts + 1,
    replay_at = nullif(replay_at, :asked_at),
    settled_at = CASE WHEN hold = 'dropped' AND :is_taken THEN :now ELSE settled_at END,
    drop_reason = CASE WHEN hold = 'dropped' AND :is_taken THEN NULL ELSE drop_reason END,
    hold = CASE WHEN hold = 'dropped' AND :is_taken THEN 'delivered' ELSE hold END
WHERE id = :id

-- name: end_replay
UPDATE outbox SET replay_at = NULL WHERE id = :id AND replay_at = :asked_at

-- name: outbox_entries
SELECT id, app_id, call_id, kind, hold, created_at FROM outbox WHERE id < :before ORDER BY id DESC LIMIT :limit

-- name: outbox_entries_of_app
SELECT id, app_id, call_id, kind, hold, created_at FROM outbox
WHERE app_id = :app_id AND id < :before
ORDER BY id DESC
LIMIT :limit

-- name: outbox_entries_of_call
SELECT id, app_id, call_id, kind, hold, created_at FROM outbox
WHERE call_id = :call_id AND id < :before AND (:app_id IS NULL OR app_id = :app_id)
ORDER BY id DESC
LIMIT :limit

-- name: drop_stale_outbox
UPDATE outbox SET hold = 'dropped', settled_at = :now, drop_reason = 'call_over'
WHERE call_id = :call_id AND hold IN ('held', 'ready') AND attempts > 0 AND kind <> 'terminate'
