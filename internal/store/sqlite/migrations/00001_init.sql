-- +goose Up

-- One table for the state of every kind of resource. Times are microseconds since 1970, UTC. doc is the state itself;
-- the other columns exist so that it can be found.
CREATE TABLE records (
	kind       TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	customer   TEXT    NOT NULL,
	conference TEXT    NOT NULL,
	reference  TEXT    NOT NULL,
	status     TEXT    NOT NULL,
	type       TEXT    NOT NULL,
	live       INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	deleted    INTEGER NOT NULL,
	deadline   INTEGER NOT NULL, -- 0: never
	version    INTEGER NOT NULL,
	doc        TEXT    NOT NULL,
	PRIMARY KEY (kind, id)
) STRICT;

-- One index for each way to ask. Each ends in the order of lists (created, id); what follows is filtered inside the index.
CREATE INDEX records_kind       ON records (kind, deleted, created, id, status, type);
CREATE INDEX records_customer   ON records (kind, customer, deleted, created, id, type);
CREATE INDEX records_status     ON records (kind, customer, deleted, status, created, id, type);
CREATE INDEX records_conference ON records (conference, kind, created, id, status, type, deleted) WHERE conference <> '';
CREATE INDEX records_present    ON records (conference, kind, created, id, status, type) WHERE live = 1 AND conference <> '';
CREATE INDEX records_reference  ON records (reference, kind, created, id, status) WHERE reference <> '';
CREATE INDEX records_live       ON records (kind, created, id, customer, status) WHERE live = 1;
CREATE INDEX records_due        ON records (kind, deadline, id) WHERE live = 1 AND deadline <> 0;

CREATE TABLE names (
	space TEXT NOT NULL,
	value TEXT NOT NULL,
	kind  TEXT NOT NULL,
	id    TEXT NOT NULL,
	PRIMARY KEY (space, value)
) STRICT, WITHOUT ROWID;

-- The log. AUTOINCREMENT: a number is never given twice, also after rows have gone.
CREATE TABLE events (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	key        TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	id         TEXT    NOT NULL,
	type       TEXT    NOT NULL,
	at         INTEGER NOT NULL,
	customer   TEXT    NOT NULL,
	conference TEXT    NOT NULL,
	resource   TEXT    NOT NULL,
	data       TEXT    NOT NULL
) STRICT;

-- The fence, and where the newest version of a key is found.
CREATE UNIQUE INDEX events_key        ON events (key, version);
CREATE INDEX        events_customer   ON events (customer) WHERE customer <> '';
CREATE INDEX        events_conference ON events (conference) WHERE conference <> '';
CREATE INDEX        events_resource   ON events (resource) WHERE resource <> '';

CREATE TABLE cursors (
	reader TEXT    NOT NULL PRIMARY KEY,
	seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers to requests with an Idempotency-Key; status 0 while the first request runs.
CREATE TABLE answers (
	customer TEXT    NOT NULL,
	key      TEXT    NOT NULL,
	request  BLOB    NOT NULL,
	status   INTEGER NOT NULL,
	body     BLOB    NOT NULL,
	at       INTEGER NOT NULL,
	PRIMARY KEY (customer, key)
) STRICT;

CREATE INDEX answers_at ON answers (at);
CREATE INDEX answers_running ON answers (status) WHERE status = 0;
