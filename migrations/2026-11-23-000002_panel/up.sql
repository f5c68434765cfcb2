-- What the panel shows beside a token: which of its values was used, calls by day, single refusals; and events by their words.

ALTER TABLE generations ADD COLUMN used_at TIMESTAMP;

-- Calls by UTC day (`2026-11-23`) and full method; `''` where a request was no method of the catalogue.
CREATE TABLE calls (
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    day TEXT NOT NULL,
    method TEXT NOT NULL,
    accepted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (token_id, day, method)
);
CREATE INDEX calls_day ON calls (day);

-- The same calls by the client's address; `''` where it was not known, or where a token had too many in one day.
CREATE TABLE callers (
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    day TEXT NOT NULL,
    ip TEXT NOT NULL,
    accepted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (token_id, day, ip)
);
CREATE INDEX callers_day ON callers (day);

-- Single refusals of living tokens, for their owner, kept for a week.
CREATE TABLE refusals (
    id TEXT PRIMARY KEY,
    reference TEXT NOT NULL,
    at TIMESTAMP NOT NULL,
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    token_name TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    sentence TEXT NOT NULL,
    scope TEXT NOT NULL,
    http_method TEXT NOT NULL,
    path TEXT NOT NULL,
    ip TEXT NOT NULL,
    folded TEXT NOT NULL
);
CREATE UNIQUE INDEX refusals_reference ON refusals (reference);
CREATE INDEX refusals_owner ON refusals (owner_id, id);
CREATE INDEX refusals_token ON refusals (token_id, id);
CREATE INDEX refusals_at ON refusals (at);

-- What a search looks into, in lower case, alike on both databases.
ALTER TABLE events ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE events SET folded = lower(action || ' ' || actor_name || ' ' || subject_name || ' ' || ip || ' ' || detail);

-- Whose form waits: it can be filled in further after a new sign-in.
ALTER TABLE confirmations ADD COLUMN account_id TEXT NOT NULL DEFAULT '';

-- The tabs of a list, and its order by name, without the rows behind them.
CREATE INDEX tokens_standing ON tokens (owner_id, removed_at, enabled, expires_at);
CREATE INDEX tokens_by_name ON tokens (owner_id, name_key, id);
