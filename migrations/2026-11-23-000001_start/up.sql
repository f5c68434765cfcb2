-- The common part of SQLite and PostgreSQL: TEXT, TIMESTAMP (UTC, milliseconds), BOOLEAN, BIGINT. Ids are UUIDv7 as text, digests SHA-256 as hex,
-- lists one entry per line, other shapes JSON. `version` is the value of `sequence` at the row's last change: what the index follows.

CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO sequence (name, value) VALUES ('change', 0);

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX teams_name ON teams (name);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'service')),
    name TEXT NOT NULL,
    email TEXT,
    email_key TEXT,
    password TEXT,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'token_creator', 'contributor', 'admin', 'owner')),
    owner_account_id TEXT REFERENCES accounts (id),
    owner_team_id TEXT REFERENCES teams (id),
    enabled BOOLEAN NOT NULL,
    time_zone TEXT NOT NULL,
    date_style TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    CHECK (kind = 'service' OR (email_key IS NOT NULL AND owner_account_id IS NULL AND owner_team_id IS NULL))
);
CREATE UNIQUE INDEX accounts_email ON accounts (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX accounts_version ON accounts (version);

CREATE TABLE members (
    team_id TEXT NOT NULL REFERENCES teams (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'manager')),
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (team_id, account_id)
);
CREATE INDEX members_account ON members (account_id);

-- Wrong passwords by folded e-mail address, known or not, so that both answer alike.
CREATE TABLE guesses (
    account_key TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at TIMESTAMP NOT NULL
);
CREATE INDEX guesses_last ON guesses (last_at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    digest TEXT,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    created_at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    ip TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_digest ON sessions (digest) WHERE digest IS NOT NULL;
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_seen ON sessions (seen_at);

-- What a person was asked to confirm: the filled form, kept until the password comes, used once.
CREATE TABLE confirmations (
    digest TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    action TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP
);
CREATE INDEX confirmations_created ON confirmations (created_at);

CREATE TABLE apis (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    description_version TEXT NOT NULL,
    dialect TEXT NOT NULL,
    servers TEXT NOT NULL,
    options TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX apis_slug ON apis (slug);

CREATE TABLE services (
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (api_id, name)
);

CREATE TABLE methods (
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    http_method TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('read', 'write', 'delete')),
    summary TEXT NOT NULL,
    docs_url TEXT,
    parameters TEXT NOT NULL,
    deprecated BOOLEAN NOT NULL,
    PRIMARY KEY (api_id, service, name)
);

CREATE TABLE access_sets (
    id TEXT PRIMARY KEY,
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    scopes TEXT NOT NULL,
    least_role TEXT NOT NULL,
    made_at_import BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX access_sets_slug ON access_sets (slug);
CREATE INDEX access_sets_api ON access_sets (api_id);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('personal', 'service', 'session')),
    owner_id TEXT NOT NULL REFERENCES accounts (id),
    created_by TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    name_key TEXT NOT NULL,
    folded TEXT NOT NULL,
    scopes TEXT NOT NULL,
    access_set TEXT,
    allow TEXT NOT NULL,
    ip_allow TEXT NOT NULL,
    rate_per_minute BIGINT,
    enabled BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    removed_at TIMESTAMP,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX tokens_name ON tokens (owner_id, name) WHERE removed_at IS NULL;
CREATE INDEX tokens_owner ON tokens (owner_id, created_at, id);
CREATE INDEX tokens_version ON tokens (version);

-- A token's values in order. The highest number is the current one; `ends_at` is set once it is the previous one.
CREATE TABLE generations (
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    starts_with TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP,
    PRIMARY KEY (token_id, number)
);
CREATE UNIQUE INDEX generations_digest ON generations (digest);

-- Last use of each token, written in batches and beside the token's row, so that use never changes its version.
CREATE TABLE uses (
    token_id TEXT PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
    used_at TIMESTAMP NOT NULL,
    ip TEXT NOT NULL,
    agent TEXT NOT NULL
);

-- The audit log, written in the transaction of the change that it tells of. `owner_id` is the account whose activity shows it.
CREATE TABLE events (
    id TEXT PRIMARY KEY,
    at TIMESTAMP NOT NULL,
    action TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    via TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_name TEXT NOT NULL,
    owner_id TEXT,
    detail TEXT NOT NULL,
    ip TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX events_owner ON events (owner_id, id);
CREATE INDEX events_subject ON events (subject_id, id);
