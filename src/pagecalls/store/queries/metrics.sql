-- Apps' reports on calls, and which apps were told of a call.

-- name: note_told
INSERT INTO call_apps (call_id, app_id) VALUES (?, ?)
ON CONFLICT DO NOTHING

-- name: told_apps
SELECT app_id FROM call_apps WHERE call_id = ?

-- name: call_metrics
SELECT app_id, reported_at, body FROM call_metrics WHERE call_id = ?

-- name: add_call_metrics
INSERT INTO call_metrics (call_id, app_id, reported_at, body) VALUES (?, ?, ?, ?)
