-- What is over goes, oldest first, a few rows at a time. Conditions repeat those of the partial indexes word for word.

-- name: forget_calls
DELETE FROM calls WHERE number IN (
    SELECT number FROM calls INDEXED BY calls_ended
    WHERE ended_at IS NOT NULL
        AND ended_at < :before
        AND NOT EXISTS (SELECT 1 FROM outbox WHERE call_id = calls.id AND hold IN ('held', 'ready'))
    ORDER BY ended_at
    LIMIT :limit
)

-- name: forget_outbox
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox INDEXED BY outbox_settled
    WHERE settled_at IS NOT NULL AND settled_at < :before AND replay_at IS NULL
    ORDER BY settled_at
    LIMIT :limit
)

-- name: settled_outbox
SELECT count(*) FROM outbox INDEXED BY outbox_settled WHERE settled_at IS NOT NULL

-- name: forget_consumer_tokens
DELETE FROM consumer_tokens WHERE digest IN (
    SELECT digest FROM consumer_tokens WHERE expires_at < :before ORDER BY expires_at LIMIT :limit
)

-- name: forget_tokens
DELETE FROM tokens WHERE digest IN (
    SELECT digest FROM tokens WHERE expires_at IS NOT NULL AND expires_at < :before ORDER BY expires_at LIMIT :limit
)

-- name: forget_call_buttons
DELETE FROM call_buttons WHERE number IN (
    SELECT number FROM call_buttons WHERE expires_at < :before ORDER BY expires_at LIMIT :limit
)

-- name: forget_messages
DELETE FROM messages WHERE number IN (
    SELECT number FROM messages WHERE created_at < :before ORDER BY created_at LIMIT :limit
)

-- name: forget_permission_requests
DELETE FROM permission_requests WHERE id IN (
    SELECT id FROM permission_requests WHERE sent_at < :before ORDER BY sent_at LIMIT :limit
)

-- name: page_count
PRAGMA page_count

-- name: free_pages
PRAGMA freelist_count

-- name: page_bytes
PRAGMA page_size
