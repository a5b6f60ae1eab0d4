-- Calls.

-- name: call
SELECT body, media FROM calls WHERE id = ?

-- name: put_call
INSERT INTO calls (id, page_id, psid, state, is_live, ended_at, body, media)
VALUES (:id, :page_id, :psid, :state, :is_live, :ended_at, :body, :media)
ON CONFLICT (id) DO UPDATE SET
    page_id = excluded.page_id,
    psid = excluded.psid,
    state = excluded.state,
    is_live = excluded.is_live,
    ended_at = excluded.ended_at,
    body = excluded.body,
    media = excluded.media

-- name: live_call
SELECT body, media FROM calls WHERE is_live = 1 AND page_id = ? AND psid = ?

-- name: live_calls
-- Live calls are few among all; without the index SQLite would walk the table in order of its number.
SELECT body, media FROM calls INDEXED BY calls_live WHERE is_live = 1 ORDER BY number

-- name: live_calls_of_page
SELECT count(*) FROM calls INDEXED BY calls_live WHERE is_live = 1 AND page_id = ?

-- name: live_calls_of_app
SELECT count(*) FROM calls INDEXED BY calls_live WHERE is_live = 1 AND json_extract(body, '$.owner') = ?

-- name: calls_begun
SELECT count(*) FROM calls INDEXED BY calls_pair
WHERE page_id = :page_id
    AND psid = :psid
    AND json_extract(body, '$.direction') = :direction
    AND json_extract(body, '$.created_at') > :since
