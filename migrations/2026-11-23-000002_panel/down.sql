DROP INDEX tokens_by_name;
DROP INDEX tokens_standing;
ALTER TABLE confirmations DROP COLUMN account_id;
ALTER TABLE events DROP COLUMN folded;
DROP TABLE refusals;
DROP TABLE callers;
DROP TABLE calls;
ALTER TABLE generations DROP COLUMN used_at;
