-- Attempts to deliver outbox rows, and receivers that fail.

-- name: add_attempt
INSERT INTO deliveries (outbox_id, attempt, at, status, failure, error, latency_s, answer)
SELECT id, attempts, ?, ?, ?, ?, ?, ? FROM outbox WHERE id = ?
ON CONFLICT (outbox_id, attempt) DO NOTHING

-- name: trim_attempts
DELETE FROM deliveries
WHERE outbox_id = :row_id AND attempt <= (SELECT attempts FROM outbox WHERE id = :row_id) - :kept

-- name: attempts
SELECT attempt, at, status, failure, error, latency_s, answer FROM deliveries WHERE outbox_id = ? ORDER BY attempt

-- name: failing_receiver
SELECT app_id, object, failing_since, failures, last, alerted_at, disabled_at FROM receivers WHERE app_id = ? AND object = ?

-- name: failing_receivers
SELECT app_id, object, failing_since, failures, last, alerted_at, disabled_at FROM receivers ORDER BY app_id, object

-- name: put_failing_receiver
INSERT INTO receivers (app_id, object, failing_since, failures, last, alerted_at, disabled_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (app_id, object) DO UPDATE SET
    failing_since = excluded.failing_since,
    failures = excluded.failures,
    last = excluded.last,
    alerted_at = excluded.alerted_at,
    disabled_at = excluded.disabled_at

-- name: forget_failures
DELETE FROM receivers WHERE app_id = ? AND object = ?
