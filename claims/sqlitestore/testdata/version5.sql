-- A store of schema version 5 as its programs wrote it, with a run in flight and work that waits. Never changed: later versions are tested against it.
PRAGMA application_id = 2003006062;
CREATE TABLE meta (
	id  INTEGER PRIMARY KEY CHECK (id = 1),
	rev INTEGER NOT NULL            -- grows by one with each transaction that changes jobs or pending
, oldest INTEGER NOT NULL DEFAULT 2);
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
, lanes INTEGER NOT NULL DEFAULT 1, state_rev INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0, not_after INTEGER NOT NULL DEFAULT 0, skip_at INTEGER NOT NULL DEFAULT 0, skip_reason TEXT NOT NULL DEFAULT '', failures INTEGER NOT NULL DEFAULT 0);
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
, cancel_cause TEXT NOT NULL DEFAULT '', lanes INTEGER NOT NULL DEFAULT 1, state_rev INTEGER NOT NULL DEFAULT -1) WITHOUT ROWID;
CREATE TABLE pending (
	slot_id TEXT NOT NULL PRIMARY KEY,
	job     TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	due     INTEGER NOT NULL,
	rev     INTEGER NOT NULL
, stands_for INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
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
, counted INTEGER NOT NULL DEFAULT -1);
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
CREATE TABLE state (
	id     INTEGER PRIMARY KEY,
	job    TEXT NOT NULL,
	key    TEXT NOT NULL,
	value  BLOB NOT NULL,
	seq    INTEGER NOT NULL,   -- of the claim whose run wrote it
	run_id TEXT NOT NULL
, rev INTEGER NOT NULL DEFAULT 0);
CREATE TABLE state_gone (       -- keys that were deleted while other runs were open that may have used them
	job    TEXT NOT NULL,
	key    TEXT NOT NULL,
	rev    INTEGER NOT NULL,
	run_id TEXT NOT NULL,
	PRIMARY KEY (job, key)
) WITHOUT ROWID;
CREATE TABLE grants (
	id        INTEGER PRIMARY KEY,
	job       TEXT NOT NULL,
	plugin    TEXT NOT NULL,
	digest    TEXT NOT NULL,
	sidecar   TEXT NOT NULL,
	decision  TEXT NOT NULL,
	requested TEXT NOT NULL,
	granted   TEXT NOT NULL,
	by        TEXT NOT NULL,
	at        INTEGER NOT NULL,
	rev       INTEGER NOT NULL
);
CREATE INDEX jobs_rev ON jobs (rev);
CREATE UNIQUE INDEX claims_lane ON claims (job, lane);
CREATE UNIQUE INDEX claims_slot ON claims (slot_id);
CREATE INDEX claims_owner ON claims (owner);
CREATE INDEX claims_cancel ON claims (owner) WHERE cancel_at > 0;
CREATE INDEX pending_due ON pending (due);
CREATE INDEX pending_rev ON pending (rev);
CREATE INDEX pending_job ON pending (job);
CREATE INDEX slots_job ON slots (job, at);
CREATE INDEX slots_schedule ON slots (job, at) WHERE kind = 'schedule';
CREATE INDEX slots_at ON slots (at);
CREATE INDEX runs_job ON runs (job, claimed_at);
CREATE INDEX runs_claimed ON runs (claimed_at);
CREATE INDEX runs_slot ON runs (slot_id, attempt);
CREATE INDEX owners_left ON owners (left_at);
CREATE UNIQUE INDEX state_key ON state (job, key);
CREATE INDEX state_rev ON state (job, rev);
CREATE INDEX grants_job ON grants (job, plugin, digest);
CREATE INDEX grants_rev ON grants (rev);
INSERT INTO meta VALUES (1, 13, 2);
INSERT INTO jobs VALUES (1, 'a', 'folder', 3, 0, 'def-1', '* * * * *', 'UTC', 1772323200000, 1772323620000, 0, 0, 0, '', '', 2, 0, 'run-2', 'failed', 1772323320000, 0, 8, 2, 1, 0, 0, 0, '', 0);
INSERT INTO jobs VALUES (2, 'thrice', 'folder', 2, 0, 'def-1', '* * * * *', 'UTC', 1772323200000, 0, 0, 0, 0, '', '', 2, 1, 'run-5', 'ok', 1772323320000, 0, 12, 2, 0, 0, 0, 0, '', 0);
INSERT INTO slots VALUES (1, 'a@2026-03-01T00:01:00Z', 'a', 1772323260000, 'schedule', 'ok', '', 1, 1772323260000, NULL, '');
INSERT INTO slots VALUES (2, 'a@2026-03-01T00:02:00Z', 'a', 1772323320000, 'schedule', '', '', 1, 1772323320000, NULL, '');
INSERT INTO slots VALUES (3, 'a@2026-03-01T00:03:00Z', 'a', 1772323380000, 'schedule', 'missed', 'no host was running', 3, 1772323500000, NULL, '');
INSERT INTO slots VALUES (4, 'a@2026-03-01T00:06:00Z', 'a', 1772323560000, 'schedule', '', '', 1, 1772323560000, NULL, '');
INSERT INTO slots VALUES (5, 'thrice@2026-03-01T00:01:00Z', 'thrice', 1772323260000, 'schedule', 'ok', '', 1, 1772323260000, NULL, '');
INSERT INTO slots VALUES (6, 'thrice@2026-03-01T00:02:00Z', 'thrice', 1772323320000, 'schedule', 'ok', '', 1, 1772323320000, NULL, '');
INSERT INTO slots VALUES (7, 'a@2026-03-01T00:06:00Z#one', 'a', 1772323560000, 'manual', '', '', 1, 1772323560000, x'7b226e223a317d', 'ann');
INSERT INTO runs VALUES (1, 'run-1', 'a', 1, 'a@2026-03-01T00:01:00Z', 1772323260000, 'schedule', 1, '4000001-a', '', 1772323260000, 1772323260000, 1772323260000, 1772326860000, 'ok', '', NULL, '', '', 0, 0, 0, '', 0, 0, '', 0, 0, '', 1);
INSERT INTO runs VALUES (2, 'run-2', 'a', 2, 'a@2026-03-01T00:02:00Z', 1772323320000, 'schedule', 1, '4000001-a', '', 1772323320000, 1772323320000, 1772323320000, 1772326920000, 'failed', '', NULL, '', '', 0, 0, 0, '', 0, 0, '', 0, 0, '', 1);
INSERT INTO runs VALUES (3, 'run-3', 'a', 3, 'a@2026-03-01T00:06:00Z', 1772323560000, 'schedule', 1, '4000001-a', '', 1772323560000, 0, 0, 1772327160000, 'running', '', NULL, '', '', 0, 0, 0, '', 0, 0, '', 0, 0, '', -1);
INSERT INTO runs VALUES (4, 'run-4', 'thrice', 1, 'thrice@2026-03-01T00:01:00Z', 1772323260000, 'schedule', 1, '4000001-a', '', 1772323260000, 1772323260000, 1772323260000, 1772326860000, 'ok', '', NULL, '', '', 0, 0, 0, '', 0, 0, '', 0, 0, '', 1);
INSERT INTO runs VALUES (5, 'run-5', 'thrice', 2, 'thrice@2026-03-01T00:02:00Z', 1772323320000, 'schedule', 1, '4000001-a', '', 1772323320000, 1772323320000, 1772323320000, 1772326920000, 'ok', '', NULL, '', '', 0, 0, 0, '', 0, 0, '', 0, 0, '', 1);
INSERT INTO claims VALUES ('run-3', 'a', 0, 3, '4000001-a', 'a@2026-03-01T00:06:00Z', 1772323560000, 'schedule', 1, 1772323560000, 1772327160000, 0, '', '', 2, 1);
INSERT INTO pending VALUES ('a@2026-03-01T00:02:00Z', 'a', 2, 1772325000000, 6, 0);
INSERT INTO pending VALUES ('a@2026-03-01T00:06:00Z#one', 'a', 1, 1772323560000, 13, 0);
INSERT INTO state VALUES (1, 'a', 'cursor', x'37', 1, 'run-1', 1);
INSERT INTO owners VALUES ('4000001-a', 4000001, 'here', NULL, '', 'v0', 1772323200000, 1772323200000, 0);
PRAGMA user_version = 5;
