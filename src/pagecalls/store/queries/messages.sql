-- Messages, their call buttons, and requests for a call permission.

-- name: add_message
INSERT INTO messages (id, page_id, psid, kind, created_at, text, buttons, app_id, options, delivered_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: message
SELECT id, page_id, psid, kind, created_at, text, buttons, app_id, options, delivered_at FROM messages WHERE id = ?

-- name: messages_to_show
SELECT id, page_id, psid, kind, created_at, text, buttons, app_id, options, delivered_at FROM (
    SELECT * FROM messages
    WHERE page_id = :page_id AND psid = :psid AND kind NOT IN ('from_consumer', 'calling_optin')
        AND (
            delivered_at IS NULL
            OR id IN (SELECT message_id FROM call_buttons WHERE page_id = :page_id AND psid = :psid AND expires_at > :now)
        )
    ORDER BY number DESC LIMIT :limit
) ORDER BY number

-- name: message_delivered
UPDATE messages SET delivered_at = :now WHERE id = :id AND delivered_at IS NULL

-- name: trim_messages
DELETE FROM messages WHERE page_id = :page_id AND psid = :psid AND number <= (
    SELECT number FROM messages WHERE page_id = :page_id AND psid = :psid ORDER BY number DESC LIMIT 1 OFFSET :keep
)

-- name: add_call_button
INSERT INTO call_buttons (message_id, page_id, psid, title, expires_at) VALUES (?, ?, ?, ?, ?)

-- name: has_live_button
SELECT 1 FROM call_buttons WHERE page_id = ? AND psid = ? AND expires_at > ? LIMIT 1

-- name: is_live_button
SELECT 1 FROM call_buttons WHERE page_id = ? AND psid = ? AND message_id = ? AND expires_at > ? LIMIT 1

-- name: replace_open_requests
UPDATE permission_requests SET state = 'replaced' WHERE page_id = ? AND psid = ? AND state = 'open'

-- name: add_permission_request
INSERT INTO permission_requests (id, page_id, psid, sent_at, expires_at, state) VALUES (?, ?, ?, ?, ?, ?)

-- name: permission_request
SELECT id, page_id, psid, sent_at, expires_at, state FROM permission_requests WHERE id = ?

-- name: open_request
SELECT id, page_id, psid, sent_at, expires_at, state FROM permission_requests
WHERE page_id = ? AND psid = ? AND state = 'open' AND expires_at > ?

-- name: requests_sent
SELECT count(*) FROM permission_requests WHERE page_id = ? AND psid = ? AND sent_at > ?

-- name: answer_request
UPDATE permission_requests SET state = ? WHERE id = ?
