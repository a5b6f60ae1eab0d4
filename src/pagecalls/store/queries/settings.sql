-- Pages' call settings.

-- name: call_settings
SELECT body FROM call_settings WHERE page_id = ?

-- name: put_call_settings
INSERT INTO call_settings (page_id, body) VALUES (?, ?)
ON CONFLICT (page_id) DO UPDATE SET body = excluded.body
