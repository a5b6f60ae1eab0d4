-- Messages with call buttons.

-- name: add_call_button
INSERT INTO call_buttons (message_id, page_id, psid, title, expires_at) VALUES (?, ?, ?, ?, ?)

-- name: has_live_button
SELECT 1 FROM call_buttons WHERE page_id = ? AND psid = ? AND expires_at > ? LIMIT 1
