DROP INDEX tokens_sessions;
DROP TABLE repeats;
DROP TABLE tombstones;
