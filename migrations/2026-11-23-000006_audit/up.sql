-- The audit log as a chain: each event has a number without gaps and a hash over the one before it and all of its own columns.

ALTER TABLE events ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN hash TEXT NOT NULL DEFAULT '';
UPDATE events SET number = former.number
    FROM (SELECT id AS event, row_number() OVER (ORDER BY id) AS number FROM events) AS former
    WHERE former.event = events.id;
CREATE UNIQUE INDEX events_number ON events (number);
CREATE INDEX events_action ON events (action, id);
CREATE INDEX events_actor ON events (actor_id, id);
CREATE INDEX events_ip ON events (ip, id);
-- Events are looked for by the name of a token, whoever owns it.
CREATE INDEX tokens_named ON tokens (name_key);

-- `head` is the last event; its row's lock makes writers take turns. `checkpoint` is the last one that was deleted for its age.
-- `former` is there until the program has made the hashes of the events that this migration found.
CREATE TABLE chain (
    name TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    at TIMESTAMP
);
INSERT INTO chain (name, number, hash) SELECT 'head', count(*), '' FROM events;
INSERT INTO chain (name, number, hash) VALUES ('checkpoint', 0, '');
INSERT INTO chain (name, number, hash) SELECT 'former', 0, '' WHERE EXISTS (SELECT 1 FROM events);
