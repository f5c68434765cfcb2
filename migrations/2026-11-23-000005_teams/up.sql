-- Teams and service accounts that people work with, and the one-time links of invited people.

ALTER TABLE teams ADD COLUMN description TEXT NOT NULL DEFAULT '';

ALTER TABLE accounts ADD COLUMN description TEXT NOT NULL DEFAULT '';
-- Service accounts only: the row stays for history.
ALTER TABLE accounts ADD COLUMN removed_at TIMESTAMP;
-- Name and e-mail address in lower case: what lists are sorted by, and what a search looks into.
ALTER TABLE accounts ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE accounts SET name_key = lower(name), folded = lower(name || ' ' || COALESCE(email, ''));
CREATE UNIQUE INDEX accounts_service_name ON accounts (name) WHERE kind = 'service' AND removed_at IS NULL;
CREATE INDEX accounts_by_name ON accounts (kind, name_key, id);
CREATE INDEX accounts_owner ON accounts (owner_account_id);
CREATE INDEX accounts_team ON accounts (owner_team_id);

-- A link that sets the password of an account once.
CREATE TABLE invitations (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX invitations_digest ON invitations (digest);
