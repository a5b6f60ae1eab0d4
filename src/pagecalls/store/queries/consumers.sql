-- Consumers, their devices' tokens and their call permissions.

-- name: consumer
SELECT psid, page_id, platform, name, created_at FROM consumers WHERE page_id = ? AND psid = ?

-- name: consumers
SELECT psid, page_id, platform, name, created_at
FROM consumers
WHERE (page_id, psid) > (:after_page, :after_psid)
ORDER BY page_id, psid
LIMIT :limit

-- name: consumers_of_page
SELECT psid, page_id, platform, name, created_at
FROM consumers
WHERE page_id = :page_id AND psid > :after_psid
ORDER BY psid
LIMIT :limit

-- name: put_consumer
INSERT INTO consumers (psid, page_id, platform, name, created_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (page_id, psid) DO UPDATE SET
    platform = excluded.platform,
    name = excluded.name,
    created_at = excluded.created_at

-- name: erase_call_webhooks
DELETE FROM outbox
WHERE call_id IN (SELECT id FROM calls WHERE page_id = ? AND psid = ?)
    AND NOT (kind = 'terminate' AND hold IN ('held', 'ready'))

-- name: erase_other_webhooks
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox INDEXED BY outbox_about WHERE call_id IS NULL AND lane = ? AND hold IN ('delivered', 'dropped')
)

-- name: erase_calls
DELETE FROM calls WHERE page_id = ? AND psid = ?

-- name: erase_permission
DELETE FROM permissions WHERE page_id = ? AND psid = ?

-- name: erase_consumer_tokens
DELETE FROM consumer_tokens WHERE page_id = ? AND psid = ?

-- name: erase_consumer
DELETE FROM consumers WHERE page_id = ? AND psid = ?

-- name: consumer_token
SELECT digest, psid, page_id, device_id, expires_at, issued_at, is_revoked FROM consumer_tokens WHERE digest = ?

-- name: consumer_tokens
SELECT digest, psid, page_id, device_id, expires_at, issued_at, is_revoked
FROM consumer_tokens
WHERE page_id = ? AND psid = ?
ORDER BY issued_at, digest

-- name: put_consumer_token
INSERT INTO consumer_tokens (digest, psid, page_id, device_id, expires_at, issued_at, is_revoked) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    psid = excluded.psid,
    page_id = excluded.page_id,
    device_id = excluded.device_id,
    expires_at = excluded.expires_at,
    issued_at = excluded.issued_at,
    is_revoked = excluded.is_revoked

-- name: permission
SELECT expires_at FROM permissions WHERE page_id = ? AND psid = ?

-- name: put_permission
INSERT INTO permissions (page_id, psid, expires_at) VALUES (?, ?, ?)
ON CONFLICT (page_id, psid) DO UPDATE SET expires_at = excluded.expires_at

-- name: delete_permission
DELETE FROM permissions WHERE page_id = ? AND psid = ?

-- name: last_contact
SELECT last_contact_at FROM consumers WHERE page_id = ? AND psid = ?

-- name: note_contact
UPDATE consumers SET last_contact_at = ? WHERE page_id = ? AND psid = ?
