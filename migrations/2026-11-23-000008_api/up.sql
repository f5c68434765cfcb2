-- What programs ask for: purged tokens, of which other processes still have to hear, and calls that may be sent twice.

CREATE TABLE tombstones (
    token_id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX tombstones_version ON tombstones (version);

-- `call` is the digest of the caller and the key, `body` of what was asked, `made` the id of what that made.
CREATE TABLE repeats (
    call TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    made TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
CREATE INDEX repeats_at ON repeats (at);

-- Session tokens, by which programs are signed in.
CREATE INDEX tokens_sessions ON tokens (owner_id, expires_at) WHERE kind = 'session';
