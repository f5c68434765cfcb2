-- The words of people's names and e-mail addresses, found by their beginnings; in hexadecimal digits, which every collation
-- sorts alike.
CREATE TABLE account_words (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    PRIMARY KEY (account_id, word)
);
CREATE INDEX account_words_word ON account_words (word, account_id);

-- The filters of the list of people.
CREATE INDEX accounts_by_role ON accounts (kind, role, name_key, id);
CREATE INDEX accounts_by_state ON accounts (kind, enabled, name_key, id);
CREATE INDEX accounts_invited ON accounts (kind, enabled, name_key, id) WHERE password IS NULL;
