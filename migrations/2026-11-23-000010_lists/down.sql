DROP INDEX accounts_invited_by_role;
DROP INDEX accounts_by_role_and_state;
DROP INDEX tokens_endless;
CREATE INDEX tokens_endless ON tokens (id) WHERE removed_at IS NULL AND expires_at IS NULL;
DROP INDEX tokens_all_expiry;
CREATE INDEX tokens_all_expiry ON tokens (expires_at, id) WHERE removed_at IS NULL;
