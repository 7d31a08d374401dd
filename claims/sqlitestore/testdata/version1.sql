-- A store of schema version 1 as it was released, with one row of each kind. Never changed: later versions are tested against it.
PRAGMA application_id = 2003006062;
CREATE TABLE meta (
	id  INTEGER PRIMARY KEY CHECK (id = 1),
	rev INTEGER NOT NULL            -- grows by one with each transaction that changes jobs or pending
);
INSERT INTO meta (id, rev) VALUES (1, 0);

CREATE TABLE jobs (
	id           INTEGER PRIMARY KEY,
	name         TEXT NOT NULL UNIQUE,
	source       TEXT NOT NULL,
	seq          INTEGER NOT NULL,
	born         INTEGER NOT NULL,   -- seq when the job was added: claims with a lower one are of its predecessor
	definition   TEXT NOT NULL,
	schedule     TEXT NOT NULL,
	timezone     TEXT NOT NULL,
	anchor       INTEGER NOT NULL,
	next_at      INTEGER NOT NULL,
	paused       INTEGER NOT NULL DEFAULT 0,
	paused_at    INTEGER NOT NULL DEFAULT 0,
	resumed_at   INTEGER NOT NULL DEFAULT 0,
	reason       TEXT NOT NULL DEFAULT '',
	disabled     TEXT NOT NULL DEFAULT '',
	repeats      INTEGER NOT NULL DEFAULT 0,
	done         INTEGER NOT NULL DEFAULT 0,
	last_run     TEXT NOT NULL DEFAULT '',
	last_outcome TEXT NOT NULL DEFAULT '',
	last_ended   INTEGER NOT NULL DEFAULT 0,
	removed_at   INTEGER NOT NULL DEFAULT 0,
	rev          INTEGER NOT NULL
);
CREATE INDEX jobs_rev ON jobs (rev);

CREATE TABLE claims (
	run_id     TEXT NOT NULL PRIMARY KEY,
	job        TEXT NOT NULL,
	lane       INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	owner      TEXT NOT NULL,
	slot_id    TEXT NOT NULL,
	slot_at    INTEGER NOT NULL,
	slot_kind  TEXT NOT NULL,
	attempt    INTEGER NOT NULL,
	claimed_at INTEGER NOT NULL,
	deadline   INTEGER NOT NULL,
	cancel_at  INTEGER NOT NULL DEFAULT 0,
	cancel_by  TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE UNIQUE INDEX claims_lane ON claims (job, lane);
CREATE UNIQUE INDEX claims_slot ON claims (slot_id);
CREATE INDEX claims_owner ON claims (owner);
CREATE INDEX claims_cancel ON claims (owner) WHERE cancel_at > 0;

CREATE TABLE pending (
	slot_id TEXT NOT NULL PRIMARY KEY,
	job     TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	due     INTEGER NOT NULL,
	rev     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX pending_due ON pending (due);
CREATE INDEX pending_rev ON pending (rev);
CREATE INDEX pending_job ON pending (job);

CREATE TABLE slots (
	id      INTEGER PRIMARY KEY,
	slot_id TEXT NOT NULL UNIQUE,
	job     TEXT NOT NULL,
	at      INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	verdict TEXT NOT NULL,
	reason  TEXT NOT NULL,
	count   INTEGER NOT NULL,
	until   INTEGER NOT NULL,
	input   BLOB,                    -- of a manual request, until its verdict
	by      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX slots_job ON slots (job, at);
CREATE INDEX slots_schedule ON slots (job, at) WHERE kind = 'schedule';
CREATE INDEX slots_at ON slots (at);

CREATE TABLE runs (
	id         INTEGER PRIMARY KEY,
	run_id     TEXT NOT NULL UNIQUE,
	job        TEXT NOT NULL,
	seq        INTEGER NOT NULL,
	slot_id    TEXT NOT NULL,
	slot_at    INTEGER NOT NULL,
	slot_kind  TEXT NOT NULL,
	attempt    INTEGER NOT NULL,
	owner      TEXT NOT NULL,
	digest     TEXT NOT NULL,
	claimed_at INTEGER NOT NULL,
	started_at INTEGER NOT NULL DEFAULT 0,
	ended_at   INTEGER NOT NULL DEFAULT 0,
	deadline   INTEGER NOT NULL,
	outcome    TEXT NOT NULL,
	cause      TEXT NOT NULL DEFAULT '',
	exit_code  INTEGER,
	reason     TEXT NOT NULL DEFAULT '',
	evidence   TEXT NOT NULL DEFAULT '',
	stands_for INTEGER NOT NULL DEFAULT 0,
	memory     INTEGER NOT NULL DEFAULT 0,
	fuel       INTEGER NOT NULL DEFAULT 0,
	out_file   TEXT NOT NULL DEFAULT '',  -- name below output/, empty: inline
	out_bytes  INTEGER NOT NULL DEFAULT 0,
	out_cut    INTEGER NOT NULL DEFAULT 0,
	out_digest TEXT NOT NULL DEFAULT '',
	out_part   INTEGER NOT NULL DEFAULT 0,
	late_at    INTEGER NOT NULL DEFAULT 0,
	late       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_job ON runs (job, claimed_at);
CREATE INDEX runs_claimed ON runs (claimed_at);
CREATE INDEX runs_slot ON runs (slot_id, attempt);

CREATE TABLE outputs (
	run_id TEXT NOT NULL PRIMARY KEY,
	body   BLOB NOT NULL
);

CREATE TABLE owners (
	id         TEXT NOT NULL PRIMARY KEY,
	pid        INTEGER NOT NULL,
	host       TEXT NOT NULL,
	evidence   BLOB,
	socket     TEXT NOT NULL,
	version    TEXT NOT NULL,
	started_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	left_at    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX owners_left ON owners (left_at);

INSERT INTO jobs (id, name, source, seq, born, definition, schedule, timezone, anchor, next_at, repeats, last_run, last_outcome, last_ended, rev)
	VALUES (1, 'backup', 'folder', 2, 0, 'def-1', '', 'UTC', 1772323200000, 0, 1, 'run-1', 'ok', 1772323265000, 4);
INSERT INTO jobs (id, name, source, seq, born, definition, schedule, timezone, anchor, next_at, removed_at, rev)
	VALUES (2, 'gone', 'folder', 1, 0, 'def-1', '', 'UTC', 1772323200000, 0, 1772323300000, 5);
INSERT INTO slots (id, slot_id, job, at, kind, verdict, reason, count, until)
	VALUES (1, 'backup@2026-03-01T00:01:00Z#one', 'backup', 1772323260000, 'manual', 'ok', '', 1, 1772323260000);
INSERT INTO slots (id, slot_id, job, at, kind, verdict, reason, count, until)
	VALUES (2, 'backup@2026-03-01T00:02:00Z#two', 'backup', 1772323320000, 'manual', '', '', 1, 1772323320000);
INSERT INTO runs (id, run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, digest, claimed_at, started_at, ended_at, deadline, outcome, exit_code, out_bytes, out_digest)
	VALUES (1, 'run-1', 'backup', 1, 'backup@2026-03-01T00:01:00Z#one', 1772323260000, 'manual', 1, '4000001-a', 'd1', 1772323260000, 1772323261000, 1772323265000,
	1772326860000, 'ok', 0, 5, '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
INSERT INTO runs (id, run_id, job, seq, slot_id, slot_at, slot_kind, attempt, owner, digest, claimed_at, deadline, outcome)
	VALUES (2, 'run-2', 'backup', 2, 'backup@2026-03-01T00:02:00Z#two', 1772323320000, 'manual', 1, '4000001-a', 'd1', 1772323320000, 1772326920000, 'running');
INSERT INTO outputs (run_id, body) VALUES ('run-1', x'68656c6c6f');
INSERT INTO claims (run_id, job, lane, seq, owner, slot_id, slot_at, slot_kind, attempt, claimed_at, deadline)
	VALUES ('run-2', 'backup', 0, 2, '4000001-a', 'backup@2026-03-01T00:02:00Z#two', 1772323320000, 'manual', 1, 1772323320000, 1772326920000);
-- Owners as older versions and damage leave them: nothing but "pid-suffix", null, malformed, of no version, of a version to come.
INSERT INTO owners (id, pid, host, evidence, socket, version, started_at, seen_at) VALUES
	('4000001-a', 4000001, 'here', NULL, '', 'v0', 1772323200000, 1772323320000),
	('1-a', 1, 'here', NULL, '', 'v0', 1772323200000, 1772323320000),
	('owner-null', 4000001, 'here', x'6e756c6c', '', 'v0', 1772323200000, 1772323320000),
	('owner-malformed', 4000001, 'here', x'7b2276657273696f6e223a', '', 'v0', 1772323200000, 1772323320000),
	('owner-unversioned', 4000001, 'here', x'7b22706964223a343030303030317d', '', 'v0', 1772323200000, 1772323320000),
	('owner-to-come', 4000001, 'here', x'7b2276657273696f6e223a3939392c22706964223a5b5d7d', '', 'v9', 1772323200000, 1772323320000);
UPDATE meta SET rev = 5;
PRAGMA user_version = 1;
