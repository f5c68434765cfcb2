-- Too broad and without an expiry, in the order of ids: PostgreSQL would look through all that have none, as an id behind another one is
-- not empty, which is what `tokens_endless` asks for.
CREATE INDEX tokens_broad_endless ON tokens (id) WHERE removed_at IS NULL AND expires_at IS NULL AND allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '
*', '') <> scopes OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '
', '')) >= 100);
