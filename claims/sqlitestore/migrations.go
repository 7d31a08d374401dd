package sqlitestore

// migrations bring a store from version i to i+1. Those that were released are never changed.
//
// A host that is at work when another program brings its store up to date claims nothing any more, and still has to finish what it
// has begun. So meta.oldest names the lowest version whose programs may close runs: a step that they would spoil raises it.
func migrations() []string {
	return append([]string{schema1, schema2, schema3, schemaGrants, schemaPolicies, schemaSettled}, nextSchema()...)
}

// Times are milliseconds since 1970 in UTC, 0 for none.
//
// claims holds the open ones alone, so that the unique index over job and lane makes a second claim of a lane impossible. A run, its
// slot and its claim carry the slot's columns each: no query of the tick joins.
const schema1 = `
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
`

// schema2 adds the jobs' state, and which runs counted toward the repeats of their job: -1 where that is not known.
const schema2 = `
CREATE TABLE state (
	id     INTEGER PRIMARY KEY,
	job    TEXT NOT NULL,
	key    TEXT NOT NULL,
	value  BLOB NOT NULL,
	seq    INTEGER NOT NULL,   -- of the claim whose run wrote it
	run_id TEXT NOT NULL
);
CREATE UNIQUE INDEX state_key ON state (job, key);
ALTER TABLE meta ADD COLUMN oldest INTEGER NOT NULL DEFAULT 2;
ALTER TABLE runs ADD COLUMN counted INTEGER NOT NULL DEFAULT -1;
`

// schema3 adds what overlapping runs need. A claim of an earlier version has the state_rev -1: its program commits state without
// looking for conflicts, so no other claim is opened beside it, and it may end in peace.
const schema3 = `
ALTER TABLE jobs ADD COLUMN lanes INTEGER NOT NULL DEFAULT 1;         -- the most claims at once that it was ever claimed with
ALTER TABLE jobs ADD COLUMN state_rev INTEGER NOT NULL DEFAULT 0;     -- grows with each commit that changes its state
ALTER TABLE claims ADD COLUMN cancel_cause TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN lanes INTEGER NOT NULL DEFAULT 1;       -- claims that were allowed at once
ALTER TABLE claims ADD COLUMN state_rev INTEGER NOT NULL DEFAULT -1;  -- of the job, as of the claim
ALTER TABLE pending ADD COLUMN stands_for INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;          -- the state's revision that this write made
CREATE INDEX state_rev ON state (job, rev);
CREATE TABLE state_gone (       -- keys that were deleted while other runs were open that may have used them
	job    TEXT NOT NULL,
	key    TEXT NOT NULL,
	rev    INTEGER NOT NULL,
	run_id TEXT NOT NULL,
	PRIMARY KEY (job, key)
) WITHOUT ROWID;
`

// schemaPolicies adds what the policies of a job need: the bounds of its schedule, the slot that is to be skipped, its failures in a row.
const schemaPolicies = `
ALTER TABLE jobs ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN not_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN skip_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN skip_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
`

// schemaSettled adds what tells slots of an earlier schedule from those of the present one, where the clock was behind them at the change.
const schemaSettled = `
ALTER TABLE jobs ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
`
