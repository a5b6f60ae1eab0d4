-- Consumers, their devices' tokens and their call permissions.

-- name: consumer
SELECT psid, page_id, platform, name FROM consumers WHERE page_id = ? AND psid = ?

-- name: put_consumer
INSERT INTO consumers (psid, page_id, platform, name) VALUES (?, ?, ?, ?)
ON CONFLICT (page_id, psid) DO UPDATE SET
    platform = excluded.platform,
    name = excluded.name

-- name: consumer_token
SELECT digest, psid, page_id, device_id, expires_at FROM consumer_tokens WHERE digest = ?

-- name: put_consumer_token
INSERT INTO consumer_tokens (digest, psid, page_id, device_id, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    psid = excluded.psid,
    page_id = excluded.page_id,
    device_id = excluded.device_id,
    expires_at = excluded.expires_at

-- name: permission
SELECT expires_at FROM permissions WHERE page_id = ? AND psid = ?

-- name: put_permission
INSERT INTO permissions (page_id, psid, expires_at) VALUES (?, ?, ?)
ON CONFLICT (page_id, psid) DO UPDATE SET expires_at = excluded.expires_at
