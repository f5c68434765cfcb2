-- The list of everybody's tokens: each of its tabs in each of its orders by an index, and each kind of search by one, so that no page reads
-- more rows than it shows. "binary" is SQLite's order by bytes; on PostgreSQL it is made before the migrations. What is removed is in none of them.

-- The last use, a few minutes late, so that use writes no row of this table at every turn; exact it is in `uses`.
ALTER TABLE tokens ADD COLUMN used_at TIMESTAMP;
UPDATE tokens SET used_at = (SELECT uses.used_at FROM uses WHERE uses.token_id = tokens.id);
CREATE INDEX uses_at ON uses (used_at);

-- All, and what expires soon or has expired.
CREATE INDEX tokens_all ON tokens (id) WHERE removed_at IS NULL;
CREATE INDEX tokens_all_name ON tokens (name_key COLLATE "binary", id) WHERE removed_at IS NULL;
CREATE INDEX tokens_all_expiry ON tokens (expires_at, id) WHERE removed_at IS NULL;
CREATE INDEX tokens_all_use ON tokens (used_at, id) WHERE removed_at IS NULL;

-- Since when a token has not been used.
CREATE INDEX tokens_idle ON tokens (COALESCE(used_at, created_at), id) WHERE removed_at IS NULL;

-- Never expires.
CREATE INDEX tokens_endless ON tokens (id) WHERE removed_at IS NULL AND expires_at IS NULL;
CREATE INDEX tokens_endless_name ON tokens (name_key COLLATE "binary", id) WHERE removed_at IS NULL AND expires_at IS NULL;
CREATE INDEX tokens_endless_use ON tokens (used_at, id) WHERE removed_at IS NULL AND expires_at IS NULL;

-- Disabled.
CREATE INDEX tokens_disabled ON tokens (id) WHERE removed_at IS NULL AND NOT enabled;
CREATE INDEX tokens_disabled_name ON tokens (name_key COLLATE "binary", id) WHERE removed_at IS NULL AND NOT enabled;
CREATE INDEX tokens_disabled_expiry ON tokens (expires_at, id) WHERE removed_at IS NULL AND NOT enabled;
CREATE INDEX tokens_disabled_use ON tokens (used_at, id) WHERE removed_at IS NULL AND NOT enabled;

-- Too broad: the condition is that of `BROAD` in src/token/all.rs, word by word.
CREATE INDEX tokens_broad ON tokens (id) WHERE removed_at IS NULL AND allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '
*', '') <> scopes OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '
', '')) >= 100);
CREATE INDEX tokens_broad_name ON tokens (name_key COLLATE "binary", id) WHERE removed_at IS NULL AND allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '
*', '') <> scopes OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '
', '')) >= 100);
CREATE INDEX tokens_broad_expiry ON tokens (expires_at, id) WHERE removed_at IS NULL AND allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '
*', '') <> scopes OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '
', '')) >= 100);
CREATE INDEX tokens_broad_use ON tokens (used_at, id) WHERE removed_at IS NULL AND allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '
*', '') <> scopes OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '
', '')) >= 100);

-- Searches, each by its beginning.
CREATE INDEX accounts_name_start ON accounts (name_key COLLATE "binary", id);
CREATE INDEX accounts_email_start ON accounts (email_key COLLATE "binary", id);
CREATE INDEX generations_start ON generations (starts_with COLLATE "binary", token_id);
