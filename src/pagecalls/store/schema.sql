-- The whole schema as it reads today. A new database gets this text; an older one gets what is missing from migrations/.
-- Identifiers are decimal digits or url-safe text and stay text. Times are Unix seconds. Lists are JSON arrays.

CREATE TABLE apps (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    default_version TEXT NOT NULL,
    require_proof INTEGER NOT NULL,
    created_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE pages (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    is_calling_eligible INTEGER NOT NULL,
    may_call_consumers INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE tokens (
    digest TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id),
    page_id TEXT REFERENCES pages (id),
    scopes TEXT NOT NULL,
    expires_at REAL,
    fault TEXT,
    user_id TEXT REFERENCES users (id),
    issued_at REAL NOT NULL DEFAULT 0,
    seed TEXT
) WITHOUT ROWID;

CREATE TABLE app_subscriptions (
    app_id TEXT NOT NULL REFERENCES apps (id),
    object TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    verify_token TEXT NOT NULL,
    fields TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    PRIMARY KEY (app_id, object)
) WITHOUT ROWID;

CREATE TABLE page_subscriptions (
    page_id TEXT NOT NULL REFERENCES pages (id),
    app_id TEXT NOT NULL REFERENCES apps (id),
    fields TEXT NOT NULL,
    PRIMARY KEY (page_id, app_id)
) WITHOUT ROWID;

CREATE TABLE consumers (
    page_id TEXT NOT NULL REFERENCES pages (id),
    psid TEXT NOT NULL,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL DEFAULT 0,
    last_contact_at REAL,
    PRIMARY KEY (page_id, psid)
) WITHOUT ROWID;

CREATE TABLE consumer_tokens (
    digest TEXT PRIMARY KEY NOT NULL,
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    device_id TEXT NOT NULL,
    expires_at REAL NOT NULL,
    issued_at REAL NOT NULL DEFAULT 0,
    is_revoked INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid)
) WITHOUT ROWID;

CREATE TABLE permissions (
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (page_id, psid),
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid)
) WITHOUT ROWID;

-- `body` is the call as JSON and the only full copy; the other columns repeat what is searched for.
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    page_id TEXT NOT NULL,
    psid TEXT NOT NULL,
    state TEXT NOT NULL,
    is_live INTEGER NOT NULL,
    ended_at REAL,
    body TEXT NOT NULL,
    media BLOB NOT NULL,
    FOREIGN KEY (page_id, psid) REFERENCES consumers (page_id, psid)
);

-- The last word on one live call per consumer and Page.
CREATE UNIQUE INDEX calls_live ON calls (page_id, psid) WHERE is_live = 1;
CREATE INDEX calls_ended ON calls (ended_at) WHERE ended_at IS NOT NULL;

-- A row stands alone: its call may be gone before it is delivered, so `call_id` points at nothing.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id),
    object TEXT NOT NULL,
    call_id TEXT,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at REAL NOT NULL,
    hold TEXT NOT NULL,
    next_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    settled_at REAL,
    drop_reason TEXT,
    replay_at REAL,
    lane TEXT
);

CREATE INDEX outbox_ready ON outbox (id) WHERE hold = 'ready';
CREATE INDEX outbox_fresh ON outbox (app_id, call_id IS NULL, id) WHERE hold = 'ready' AND attempts = 0;
CREATE INDEX outbox_retries ON outbox (app_id, next_at) WHERE hold = 'ready' AND attempts > 0;
CREATE INDEX outbox_next ON outbox (next_at) WHERE hold = 'ready';
CREATE INDEX outbox_held ON outbox (app_id, lane, id) WHERE hold = 'held';
CREATE INDEX outbox_about ON outbox (lane) WHERE call_id IS NULL;

-- Accounts.

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL
) WITHOUT ROWID;

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

-- A person is erased by these, without a walk over all tokens, calls and webhooks.
CREATE INDEX consumer_tokens_owner ON consumer_tokens (page_id, psid);
CREATE INDEX calls_pair ON calls (page_id, psid);
CREATE INDEX outbox_by_call ON outbox (call_id);

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

CREATE INDEX outbox_app ON outbox (app_id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_replays ON outbox (app_id) WHERE replay_at IS NOT NULL;

-- Upkeep. What is over is found by these.

CREATE INDEX consumer_tokens_expiry ON consumer_tokens (expires_at);
CREATE INDEX tokens_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX call_buttons_expiry ON call_buttons (expires_at);
