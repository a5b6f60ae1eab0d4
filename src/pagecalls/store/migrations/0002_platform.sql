-- The platform around the call.

-- Accounts.

-- Consumers and permissions.

-- Call settings. `body` is JSON.

CREATE TABLE call_settings (
    page_id TEXT PRIMARY KEY NOT NULL REFERENCES pages (id),
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Messages and their call buttons.

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

-- Metrics.

-- Deliveries.

-- Upkeep.
