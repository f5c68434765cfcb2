-- What has no expiry stands in an index of its own for each order: in the first of these SQLite would look for it instead, and sort. And
-- no list but those that say that no id is empty takes them: else they are chosen for the disabled or too broad, and all others read.
DROP INDEX tokens_all_expiry;
CREATE INDEX tokens_all_expiry ON tokens (expires_at, id) WHERE removed_at IS NULL AND expires_at IS NOT NULL AND id <> '';
DROP INDEX tokens_endless;
CREATE INDEX tokens_endless ON tokens (id) WHERE removed_at IS NULL AND expires_at IS NULL AND id <> '';

-- The filters of the list of people within one role, and how many each of them has.
CREATE INDEX accounts_by_role_and_state ON accounts (kind, role, enabled, name_key, id);
CREATE INDEX accounts_invited_by_role ON accounts (kind, role, enabled, name_key, id) WHERE password IS NULL;
