-- Apps, Pages, tokens and subscriptions.

-- name: app
SELECT id, name, secret, default_version, require_proof, created_at FROM apps WHERE id = ?

-- name: apps
SELECT id, name, secret, default_version, require_proof, created_at FROM apps WHERE id > ? ORDER BY id LIMIT ?

-- name: put_app
INSERT INTO apps (id, name, secret, default_version, require_proof, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    secret = excluded.secret,
    default_version = excluded.default_version,
    require_proof = excluded.require_proof,
    created_at = excluded.created_at

-- name: delete_app_tokens
DELETE FROM tokens WHERE app_id = ?

-- name: delete_app_subscriptions
DELETE FROM app_subscriptions WHERE app_id = ?

-- name: delete_app_page_subscriptions
DELETE FROM page_subscriptions WHERE app_id = ?

-- name: forget_app_webhooks
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE app_id = :app_id AND (:owed_too OR settled_at IS NOT NULL) ORDER BY id LIMIT :limit
)

-- name: delete_app_outbox
DELETE FROM outbox WHERE app_id = ?

-- name: delete_app
DELETE FROM apps WHERE id = ?

-- name: owed_webhooks
SELECT
    (SELECT count(*) FROM outbox INDEXED BY outbox_held WHERE hold = 'held' AND app_id = :app_id)
    + (SELECT count(*) FROM outbox INDEXED BY outbox_fresh WHERE hold = 'ready' AND attempts = 0 AND app_id = :app_id)
    + (SELECT count(*) FROM outbox INDEXED BY outbox_retries WHERE hold = 'ready' AND attempts > 0 AND app_id = :app_id)

-- name: owed_page_webhooks
SELECT count(*) FROM outbox WHERE hold IN ('held', 'ready') AND call_id IN (SELECT id FROM calls WHERE page_id = ?)

-- name: page
SELECT id, name, is_calling_eligible, may_call_consumers, created_at FROM pages WHERE id = ?

-- name: pages
SELECT id, name, is_calling_eligible, may_call_consumers, created_at FROM pages WHERE id > ? ORDER BY id LIMIT ?

-- name: put_page
INSERT INTO pages (id, name, is_calling_eligible, may_call_consumers, created_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    is_calling_eligible = excluded.is_calling_eligible,
    may_call_consumers = excluded.may_call_consumers,
    created_at = excluded.created_at

-- name: delete_page_tokens
DELETE FROM tokens WHERE page_id = ?

-- name: delete_page_subscriptions
DELETE FROM page_subscriptions WHERE page_id = ?

-- name: delete_page_settings
DELETE FROM call_settings WHERE page_id = ?

-- name: delete_page
DELETE FROM pages WHERE id = ?

-- name: user
SELECT id, name, created_at FROM users WHERE id = ?

-- name: users
SELECT id, name, created_at FROM users WHERE id > ? ORDER BY id LIMIT ?

-- name: put_user
INSERT INTO users (id, name, created_at) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    created_at = excluded.created_at

-- name: delete_user_tokens
DELETE FROM tokens WHERE user_id = ?

-- name: delete_user
DELETE FROM users WHERE id = ?

-- name: token
SELECT digest, kind, app_id, page_id, scopes, expires_at, fault, user_id, issued_at, seed FROM tokens WHERE digest = ?

-- name: token_by_handle
-- No hex digit stands after 'f', so these are the digests that begin with the handle.
SELECT digest, kind, app_id, page_id, scopes, expires_at, fault, user_id, issued_at, seed
FROM tokens
WHERE digest >= :handle AND digest < :handle || 'g'
LIMIT 1

-- name: tokens
SELECT digest, kind, app_id, page_id, scopes, expires_at, fault, user_id, issued_at, seed
FROM tokens
WHERE digest > :after
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:page_id IS NULL OR page_id = :page_id)
    AND (:user_id IS NULL OR user_id = :user_id)
    AND (:kind IS NULL OR kind = :kind)
ORDER BY digest
LIMIT :limit

-- name: made_tokens
SELECT digest, kind, app_id, page_id, scopes, expires_at, fault, user_id, issued_at, seed
FROM tokens INDEXED BY tokens_made
WHERE user_id = ? AND app_id = ? AND expires_at IS ? AND seed IS NOT NULL
ORDER BY digest

-- name: put_token
INSERT INTO tokens (digest, kind, app_id, page_id, scopes, expires_at, fault, user_id, issued_at, seed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    kind = excluded.kind,
    app_id = excluded.app_id,
    page_id = excluded.page_id,
    scopes = excluded.scopes,
    expires_at = excluded.expires_at,
    fault = excluded.fault,
    user_id = excluded.user_id,
    issued_at = excluded.issued_at,
    seed = excluded.seed

-- name: delete_token
DELETE FROM tokens WHERE digest = ?

-- name: app_subscriptions
SELECT app_id, object, callback_url, verify_token, fields, is_active FROM app_subscriptions WHERE app_id = ? ORDER BY object

-- name: app_subscription
SELECT app_id, object, callback_url, verify_token, fields, is_active FROM app_subscriptions WHERE app_id = ? AND object = ?

-- name: put_app_subscription
INSERT INTO app_subscriptions (app_id, object, callback_url, verify_token, fields, is_active) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (app_id, object) DO UPDATE SET
    callback_url = excluded.callback_url,
    verify_token = excluded.verify_token,
    fields = excluded.fields,
    is_active = excluded.is_active

-- name: delete_app_subscription
DELETE FROM app_subscriptions WHERE app_id = ? AND object = ?

-- name: page_subscription
SELECT app_id, page_id, fields FROM page_subscriptions WHERE app_id = ? AND page_id = ?

-- name: put_page_subscription
INSERT INTO page_subscriptions (app_id, page_id, fields) VALUES (?, ?, ?)
ON CONFLICT (page_id, app_id) DO UPDATE SET fields = excluded.fields

-- name: delete_page_subscription
DELETE FROM page_subscriptions WHERE app_id = ? AND page_id = ?

-- name: subscribers
SELECT p.app_id
FROM page_subscriptions AS p
JOIN app_subscriptions AS a ON a.app_id = p.app_id
WHERE p.page_id = :page_id
    AND a.object = :object
    AND a.is_active = 1
    AND EXISTS (SELECT 1 FROM json_each(p.fields) WHERE json_each.value = :field)
    AND EXISTS (SELECT 1 FROM json_each(a.fields) WHERE json_each.value = :field)
ORDER BY p.app_id

-- name: has_page_subscriber
SELECT 1
FROM page_subscriptions AS p
WHERE p.page_id = :page_id
    AND EXISTS (SELECT 1 FROM json_each(p.fields) WHERE json_each.value = :field)
LIMIT 1
