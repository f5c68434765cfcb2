DROP INDEX accounts_invited;
DROP INDEX accounts_by_state;
DROP INDEX accounts_by_role;
DROP TABLE account_words;
