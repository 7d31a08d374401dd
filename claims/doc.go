// Package claims holds the rules of the ledger: who owns a run, when an owner is given up, what a finished run may write, and
// what every due slot came to. It does not know what a job does, how a schedule is written, or how an engine stores a row.
//
// # Records
//
// A job is a named row with its next due time, its pause and its fencing counter (seq). A slot is the thing that must run at
// most once: a job and a scheduled time, or one manual request. A run is one attempt at a slot. A claim is the ownership of a
// run in flight; it exists from the moment a run is claimed until one finalize closes it. A pending row is work that is due
// apart from the schedule: a manual request, or the next attempt of a slot. An owner is a host process.
//
// # The life of a slot
//
//	due ── claim ──> running ── finalize(ok | failed | …, no attempt left) ──> verdict = that outcome
//	 │                  └────── finalize(…, attempt left) ──> pending ── claim ──> running …
//	 ├── its job is busy, and slots wait or replace ──> pending ── claim ──> running …
//	 ├── passed over while no host ran, or late ──> missed, with the reason
//	 └── passed over by pause, overlap, a broken plugin, on demand ──> skipped, with the reason
//
// Which of these becomes of a due slot is for [Plan] to say, and whether an attempt is followed by another one for [RetryPolicy]:
// both are pure. An operator's backfill makes slots of its own for times that have passed; what was recorded of those stays.
//
// The next due time is advanced in the transaction that claims (or passes over) a slot. A crash therefore never fires a slot
// twice, and the slot row makes sure that it is not lost either.
//
// # Who may write
//
// Each claim takes the job's next seq. A finalize names the token (job, seq, run id) and holds only while the claim with that
// token is open. Recovery is an ordinary finalize with the orphan's own token and the outcome orphaned: a late owner and a
// recoverer race for one row, and exactly one wins. The loser's result changes nothing; one note on the run says that it came.
// A run whose job was removed (or removed and added again) since the claim is closed as discarded.
//
// What a run writes into its job's state travels with its finalize and is kept with the outcome ok and with no other. Where the policy
// allows one claim of a job at a time, it has no other writer: what a run reads of the state before its guest starts is the state as of
// its claim. Where it allows several, the finalize carries which keys the run used and which revision of the state it saw. If a later
// commit has changed one of them, deleted keys included, the run ends as failed with the cause state_conflict, in the transaction that
// found it.
//
// # When an owner is given up
//
// [Judge] combines the two witnesses. The owner's lock is the first: the kernel frees it at any death, and it lies neither about a
// pid that was used again nor about another container. The fingerprint is the second, and decides where there is no lock. Every
// evidence with its verdict, each row held to the code by a test:
//
//	free     no record                                         dead
//	free     another boot of this machine                      dead
//	free     no process has the pid                            dead
//	free     the very process runs                             dead
//	held     no record                                         alive
//	held     another boot of this machine                      alive
//	held     no process has the pid                            alive
//	held     the very process runs                             alive
//	missing  no record                                         unknown
//	missing  malformed record                                  unknown
//	missing  record of a newer version                         unknown
//	missing  "pid-suffix" alone, and no process has the pid    dead
//	missing  "pid-suffix" alone, and a process has the pid     unknown
//	missing  another boot, of a machine that is not this one   unknown
//	missing  another boot of this machine                      dead
//	missing  another pid namespace                             unknown
//	missing  no process has the pid                            dead
//	missing  same pid, another process                         dead
//	missing  the very process runs                             alive
//
// The rows of package fingerprint divide the second column further. [Recoverable] turns the verdict into a decision:
//
//	dead     recovered once the claim is orphan_grace old, counted from claimed_at
//	alive    never recovered while within its deadline; after the deadline it is
//	unknown  recovered only after its deadline, or (without one) after its lease has passed
//
// # Invariants
//
// [Audit] checks them on a live or a stopped store; each has a code:
//
//	double-claim       a job has more open claims than its overlap policy allows
//	claim-without-run  an open claim names a run that is not running
//	run-without-claim  a run is running and no claim owns it
//	past-deadline      an open claim is older than its deadline and the grace
//	dead-owner         an open claim older than the grace belongs to a dead owner
//	slot-open          a slot has no verdict, no open claim and no pending attempt
//	slot-verdict       a slot's verdict is not the outcome of its last attempt
//	run-without-slot   a run's slot is not recorded
//	attempt-gap        the attempts of a slot are not 1, 2, 3, …
//	next-off-schedule  the next due time is not a time of the schedule
//	slot-missing       fewer slots are recorded than the schedule had due
//	slot-extra         more slots are recorded than the schedule had due
//	overdue            a due time has passed by more than the grace and nothing was recorded
//	counts             the job's repeats or its latest run are not what its history has
//	state-not-ok       a key of a job's state was not written by a run of it that was ok
//	output-missing     a run's output is recorded and cannot be read back whole
package claims
