-- The platform around the call.

-- Accounts.

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL
) WITHOUT ROWID;

ALTER TABLE apps ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
ALTER TABLE pages ADD COLUMN may_call_consumers INTEGER NOT NULL DEFAULT 1;
ALTER TABLE pages ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN fault TEXT;
ALTER TABLE tokens ADD COLUMN user_id TEXT REFERENCES users (id);
ALTER TABLE tokens ADD COLUMN issued_at REAL NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN seed TEXT;
UPDATE tokens SET fault = 'revoked' WHERE is_revoked = 1;
ALTER TABLE tokens DROP COLUMN is_revoked;
CREATE INDEX tokens_app ON tokens (app_id);
CREATE INDEX tokens_page ON tokens (page_id);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_made ON tokens (user_id, app_id, expires_at) WHERE seed IS NOT NULL;

-- Which users reach which Pages, and codes that an app turns into a user's token.

CREATE TABLE user_pages (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    page_id TEXT NOT NULL REFERENCES pages (id) ON DELETE CASCADE,
    tasks TEXT NOT NULL,
    PRIMARY KEY (user_id, page_id)
) WITHOUT ROWID;

CREATE INDEX user_pages_page ON user_pages (page_id);

CREATE TABLE oauth_codes (
    digest TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    redirect_uri TEXT,
    expires_at REAL NOT NULL,
    is_used INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX oauth_codes_expiry ON oauth_codes (expires_at);

-- Consumers and permissions.

ALTER TABLE consumers ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
ALTER TABLE consumer_tokens ADD COLUMN issued_at REAL NOT NULL DEFAULT 0;
ALTER TABLE consumer_tokens ADD COLUMN is_revoked INTEGER NOT NULL DEFAULT 0;
-- A person is erased by these, without a walk over all tokens, calls and webhooks.
CREATE INDEX consumer_tokens_owner ON consumer_tokens (page_id, psid);
CREATE INDEX calls_pair ON calls (page_id, psid);
CREATE INDEX outbox_by_call ON outbox (call_id);
ALTER TABLE consumers ADD COLUMN last_contact_at REAL;

-- Call settings. `body` is JSON.

CREATE TABLE call_settings (
    page_id TEXT PRIMARY KEY NOT NULL REFERENCES pages (id) ON DELETE CASCADE,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Messages, their call buttons, and permission requests. `buttons` and `options` are JSON.

CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    text TEXT,
    buttons TEXT NOT NULL,
    app_id TEXT,
    options TEXT NOT NULL,
    delivered_at REAL,
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid) ON DELETE CASCADE
);

CREATE INDEX messages_thread ON messages (page_id, psid, number);
CREATE INDEX messages_age ON messages (created_at);

CREATE TABLE call_buttons (
    number INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    title TEXT NOT NULL,
    expires_at REAL NOT NULL,
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid) ON DELETE CASCADE
);

CREATE INDEX call_buttons_live ON call_buttons (page_id, psid, expires_at);

CREATE TABLE permission_requests (
    id TEXT PRIMARY KEY NOT NULL,
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    sent_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    state TEXT NOT NULL,
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX permission_requests_sent ON permission_requests (page_id, psid, sent_at);
CREATE INDEX permission_requests_age ON permission_requests (sent_at);
-- The last word on one open request.
CREATE UNIQUE INDEX permission_requests_open ON permission_requests (page_id, psid) WHERE state = 'open';

-- Metrics.

-- `call_apps`: the apps that a `connect` was written for, because its outbox row may be gone when one of them reports on the
-- call. Both tables go with their call, and outlive their app. `body` is JSON.

CREATE TABLE call_apps (
    call_id TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    PRIMARY KEY (call_id, app_id)
) WITHOUT ROWID;

CREATE TABLE call_metrics (
    call_id TEXT PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    reported_at REAL NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Deliveries. One row for each attempt to deliver an outbox row. `receivers` has those that have failed since their last success.

CREATE TABLE deliveries (
    outbox_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    at REAL NOT NULL,
    status INTEGER,
    failure TEXT,
    error TEXT NOT NULL,
    latency_s REAL NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (outbox_id, attempt)
) WITHOUT ROWID;

CREATE TABLE receivers (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    object TEXT NOT NULL,
    failing_since REAL NOT NULL,
    failures INTEGER NOT NULL,
    last TEXT NOT NULL,
    alerted_at REAL,
    disabled_at REAL,
    PRIMARY KEY (app_id, object)
) WITHOUT ROWID;

-- Rows that were dropped before did not keep when and why: the nearest that is known.
ALTER TABLE outbox RENAME COLUMN delivered_at TO settled_at;
ALTER TABLE outbox ADD COLUMN drop_reason TEXT;
ALTER TABLE outbox ADD COLUMN replay_at REAL;
UPDATE outbox SET settled_at = created_at, drop_reason = 'schedule' WHERE hold = 'dropped';
ALTER TABLE outbox ADD COLUMN lane TEXT;
UPDATE outbox SET lane = call_id;
DROP INDEX outbox_call;
DROP INDEX outbox_held;
DROP INDEX outbox_fresh;
CREATE INDEX outbox_fresh ON outbox (app_id, call_id IS NULL, id) WHERE hold = 'ready' AND attempts = 0;
CREATE INDEX outbox_held ON outbox (app_id, lane, id) WHERE hold = 'held';
CREATE INDEX outbox_about ON outbox (lane) WHERE call_id IS NULL;
CREATE INDEX outbox_app ON outbox (app_id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_replays ON outbox (app_id) WHERE replay_at IS NOT NULL;

-- Upkeep. What is over is found by these.

CREATE INDEX consumer_tokens_expiry ON consumer_tokens (expires_at);
CREATE INDEX tokens_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX call_buttons_expiry ON call_buttons (expires_at);

-- Deadlines are read with their calls; nothing looks for them in a column.
DROP INDEX calls_due;
ALTER TABLE calls DROP COLUMN next_deadline;

-- Nothing was ever kept here.
DROP TABLE meta;
