-- Authorization codes, and which users reach which Pages.

-- name: oauth_code
SELECT app_id, user_id, scopes, redirect_uri, expires_at, is_used FROM oauth_codes WHERE digest = ?

-- name: put_oauth_code
INSERT INTO oauth_codes (digest, app_id, user_id, scopes, redirect_uri, expires_at, is_used) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    app_id = excluded.app_id,
    user_id = excluded.user_id,
    scopes = excluded.scopes,
    redirect_uri = excluded.redirect_uri,
    expires_at = excluded.expires_at,
    is_used = excluded.is_used

-- name: forget_oauth_codes
DELETE FROM oauth_codes WHERE expires_at < ?

-- name: user_page
SELECT tasks FROM user_pages WHERE user_id = ? AND page_id = ?

-- name: user_pages
SELECT page_id, tasks FROM user_pages WHERE user_id = ? ORDER BY page_id

-- name: put_user_page
INSERT INTO user_pages (user_id, page_id, tasks) VALUES (?, ?, ?)
ON CONFLICT (user_id, page_id) DO UPDATE SET tasks = excluded.tasks

-- name: delete_user_page
DELETE FROM user_pages WHERE user_id = ? AND page_id = ?
