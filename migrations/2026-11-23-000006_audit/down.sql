DROP TABLE chain;
DROP INDEX tokens_named;
DROP INDEX events_ip;
DROP INDEX events_actor;
DROP INDEX events_action;
DROP INDEX events_number;
ALTER TABLE events DROP COLUMN hash;
ALTER TABLE events DROP COLUMN number;
