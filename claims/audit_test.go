package claims_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
)

var t0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }

// book is a History in memory that a test can damage.
type book struct {
	jobs    []Job
	open    []Open
	pending []Pending
	runs    []Run
	slots   []SlotRow
	owners  []Owner
	outputs map[string][]byte
	state   []StateEntry
	onSlots func() // called before each look at the slots
}

func (b *book) Owners(context.Context) ([]Owner, error)    { return b.owners, nil }
func (b *book) Jobs(context.Context) ([]Job, error)        { return slices.Clone(b.jobs), nil }
func (b *book) Open(context.Context) ([]Open, error)       { return slices.Clone(b.open), nil }
func (b *book) Pending(context.Context) ([]Pending, error) { return slices.Clone(b.pending), nil }

func (b *book) Job(_ context.Context, name string) (Job, error) {
	for _, j := range b.jobs {
		if j.Name == name {
			return j, nil
		}
	}
	return Job{}, ErrNoJob
}

func (b *book) Runs(_ context.Context, q RunQuery) ([]Run, error) {
	return slices.DeleteFunc(slices.Clone(b.runs), func(r Run) bool { return r.Job != q.Job }), nil
}

func (b *book) Slots(_ context.Context, q SlotQuery) ([]SlotRow, error) {
	if b.onSlots != nil {
		b.onSlots()
	}
	return slices.DeleteFunc(slices.Clone(b.slots), func(s SlotRow) bool { return s.Slot.Job != q.Job }), nil
}

func (b *book) State(_ context.Context, job string) ([]StateEntry, int64, error) {
	return slices.DeleteFunc(slices.Clone(b.state), func(e StateEntry) bool { return e.Job != job }), 0, nil
}

func (b *book) Output(_ context.Context, id string) (io.ReadCloser, error) {
	out, ok := b.outputs[id]
	if !ok {
		return nil, ErrNoRun
	}
	return io.NopCloser(bytes.NewReader(out)), nil
}

func (b *book) ran(slot Slot, attempt int, outcome Outcome) *Run {
	seq := int64(len(b.runs) + 1)
	at := slot.At.Add(time.Duration(attempt) * time.Second)
	r := Run{Token: Token{slot.Job, seq, fmt.Sprintf("run-%d", seq)}, Slot: slot, Attempt: attempt, Owner: "live", ClaimedAt: at, Outcome: outcome}
	if outcome == Running {
		b.open = append(b.open, Open{Token: r.Token, Slot: slot, Attempt: attempt, Owner: r.Owner, ClaimedAt: at, Deadline: at.Add(time.Hour)})
	} else {
		r.EndedAt = at.Add(time.Second)
	}
	b.runs = append(b.runs, r)
	return &b.runs[len(b.runs)-1]
}

// beside lets one more slot of job a run, of a policy that allows so many at once.
func (b *book) beside(n, lanes int) {
	s := ScheduledSlot("a", minute(n))
	b.slot(s, "", b.ran(s, 1, Running).RunID)
	b.open[len(b.open)-1].Lanes = lanes
	b.jobs[0].Next, b.jobs[0].Seq = minute(n+1), int64(len(b.runs))
}

// queue lets one more slot of job a wait.
func (b *book) queue(n int) {
	s := ScheduledSlot("a", minute(n))
	b.slot(s, "")
	b.pending = append(b.pending, Pending{Slot: s, Attempt: 1, Due: s.At})
	b.jobs[0].Next = minute(n + 1)
}

func (b *book) slot(slot Slot, v Verdict, runs ...string) {
	b.slots = append(b.slots, SlotRow{Slot: slot, Verdict: v, Count: 1, Until: slot.At, RunIDs: runs})
}

// valid is a ledger in which every kind of row occurs and nothing is wrong. Job a is due each minute; its times are those of
// minutes 1 to 9, then comes Next at minute 10.
func valid() *book {
	b := &book{outputs: map[string][]byte{}, owners: []Owner{{ID: "live", Started: t0, Seen: minute(9)}}}
	at := func(n int) Slot { return ScheduledSlot("a", minute(n)) }
	b.jobs = []Job{
		{Name: "a", Seq: 9, Schedule: "every 1m", Anchor: t0, Next: minute(10), Rev: 7},
		{Name: "gone", Schedule: "every 1m", Anchor: t0, Next: minute(1), Removed: minute(1), Rev: 8},
		{Name: "manual", Rev: 9},
		{Name: "off", Schedule: "every 1m", Anchor: t0, Next: minute(1), Disabled: "exit 78"},
		{Name: "once", Schedule: "at 1", Anchor: t0, Done: true},
	}
	b.slots = append(b.slots,
		SlotRow{Slot: at(-3), Verdict: "ok", Count: 3, Until: minute(-1)}, // of an earlier schedule
		SlotRow{Slot: at(1), Verdict: Missed, Reason: "no host was running", Count: 3, Until: minute(3)})
	b.slot(at(4), "ok", b.ran(at(4), 1, OK).RunID)
	out := []byte("hello")
	sum := sha256.Sum256(out)
	b.runs[0].Output = Output{Bytes: 5, Digest: hex.EncodeToString(sum[:])}
	b.outputs["run-1"] = out
	b.slot(at(5), "ok", b.ran(at(5), 1, Orphaned).RunID, b.ran(at(5), 2, OK).RunID)
	b.slots = append(b.slots, SlotRow{Slot: at(6), Verdict: Skipped, Reason: "an earlier run was still going", Count: 1, Until: minute(6)})
	b.slot(at(7), "failed", b.ran(at(7), 1, Failed).RunID)
	b.slot(at(8), "", b.ran(at(8), 1, Timeout).RunID)
	b.pending = append(b.pending, Pending{Slot: at(8), Attempt: 2, Due: minute(10)})
	b.slot(at(9), "", b.ran(at(9), 1, Running).RunID)
	m := ManualSlot("manual", minute(9), "x")
	b.slot(m, "killed", b.ran(m, 1, Killed).RunID)
	b.slot(ScheduledSlot("once", minute(1)), "trapped", b.ran(ScheduledSlot("once", minute(1)), 1, Trapped).RunID)
	for i := range b.jobs {
		j := &b.jobs[i]
		for _, r := range b.runs {
			if r.Job == j.Name && r.Outcome != Running {
				j.Seq, j.LastRun, j.Last, j.LastEnded = 9, r.RunID, r.Outcome, r.EndedAt
			}
		}
	}
	return b
}

// occurrences reads "every DURATION", counted from the anchor, and "at MINUTE".
func occurrences(j Job) (func(time.Time) time.Time, error) {
	var n int
	if _, err := fmt.Sscanf(j.Schedule, "at %d", &n); err == nil {
		return func(after time.Time) time.Time {
			if after.Before(minute(n)) {
				return minute(n)
			}
			return time.Time{}
		}, nil
	}
	d, err := time.ParseDuration(strings.TrimPrefix(j.Schedule, "every "))
	return func(after time.Time) time.Time { return j.Anchor.Add(after.Sub(j.Anchor).Truncate(d) + d) }, err
}

func options() AuditOptions {
	return AuditOptions{Now: minute(10), Occurrences: occurrences, CheckOutput: true,
		Alive: func(Owner) (fingerprint.Verdict, string) { return fingerprint.Alive, "its lock is held" }}
}

func audit(t *testing.T, b *book, opt AuditOptions) []Finding {
	t.Helper()
	found, err := Audit(t.Context(), b, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.What == "" || f.Remedy == "" {
			t.Errorf("finding without words: %+v", f)
		}
	}
	return found
}

func TestAuditOfValidLedger(t *testing.T) {
	if found := audit(t, valid(), options()); len(found) != 0 {
		t.Errorf("findings in a valid ledger: %+v", found)
	}
}

func TestAuditFindsEachDamage(t *testing.T) {
	a := func(n int) string { return ScheduledSlot("a", minute(n)).ID }
	noOpt := func(*AuditOptions) {}
	tests := []struct {
		name, code, slot, run string
		damage                func(b *book)
		opt                   func(o *AuditOptions)
	}{
		{"claim over the lanes", "double-claim", a(10), "run-9", func(b *book) {
			s := ScheduledSlot("a", minute(10))
			b.slot(s, "", b.ran(s, 1, Running).RunID)
			b.jobs[0].Next = minute(11)
		}, noOpt},
		{"claim over the lanes of its time", "double-claim", a(11), "run-10", func(b *book) {
			b.beside(10, 2)
			b.beside(11, 2)
		}, noOpt},
		{"slot claimed twice", "double-claim", a(9), "run-9", func(b *book) {
			b.ran(ScheduledSlot("a", minute(9)), 2, Running)
		}, func(o *AuditOptions) { o.Lanes = func(Job) int { return 5 } }},
		{"run of a claim is gone", "claim-without-run", a(9), "run-6", func(b *book) { b.runs = slices.Delete(b.runs, 5, 6); b.slots[7].RunIDs = nil }, noOpt},
		{"run of a claim has ended", "claim-without-run", a(9), "run-6", func(b *book) { b.runs[5].Outcome = OK }, noOpt},
		{"run of a claim has another seq", "claim-without-run", a(9), "run-6", func(b *book) { b.runs[5].Seq++ }, noOpt},
		{"run reopened", "run-without-claim", a(7), "run-4", func(b *book) { b.runs[3].Outcome = Running; b.slots[5].Verdict = "running" }, noOpt},
		{"deadline", "past-deadline", a(9), "run-6", func(b *book) { b.open[0].Deadline = minute(8) }, noOpt},
		{"dead owner", "dead-owner", a(9), "run-6", func(b *book) { b.open[0].ClaimedAt = minute(8) },
			func(o *AuditOptions) {
				o.Alive = func(Owner) (fingerprint.Verdict, string) { return fingerprint.Dead, "its lock is free" }
			}},
		{"owner that left", "dead-owner", a(9), "run-6", func(b *book) { b.open[0].ClaimedAt = minute(8); b.owners[0].Left = minute(9) }, noOpt},
		{"nothing will close the slot", "slot-open", a(8), "", func(b *book) { b.pending = nil }, noOpt},
		{"verdict erased", "slot-open", a(6), "", func(b *book) { b.slots[4].Verdict = "" }, noOpt},
		{"another verdict", "slot-verdict", a(7), "", func(b *book) { b.slots[5].Verdict = "ok" }, noOpt},
		{"verdict of an earlier attempt", "slot-verdict", a(5), "", func(b *book) { b.slots[3].Verdict = "orphaned" }, noOpt},
		{"verdict while running", "slot-verdict", a(9), "", func(b *book) { b.slots[7].Verdict = "ok" }, noOpt},
		{"verdict while an attempt waits", "slot-verdict", a(8), "", func(b *book) { b.slots[6].Verdict = "timeout" }, noOpt},
		{"missed after a run", "slot-verdict", a(7), "", func(b *book) { b.slots[5].Verdict = Missed; b.slots[5].Reason = "x" }, noOpt},
		{"skipped after ok", "slot-verdict", a(4), "", func(b *book) { b.slots[2].Verdict = Skipped; b.slots[2].Reason = "x" }, noOpt},
		{"run vanished", "slot-verdict", a(7), "", func(b *book) { b.runs = slices.Delete(b.runs, 3, 4) }, noOpt},
		{"slot row vanished", "run-without-slot", a(7), "run-4", func(b *book) { b.slots = slices.Delete(b.slots, 5, 6) }, noOpt},
		{"attempt in the middle vanished", "attempt-gap", a(5), "run-3", func(b *book) { b.runs[2].Attempt = 3 }, noOpt},
		{"first attempt vanished", "attempt-gap", a(7), "run-4", func(b *book) { b.runs[3].Attempt = 2 }, noOpt},
		{"attempt twice", "attempt-gap", a(5), "run-3", func(b *book) { b.runs[2].Attempt = 1 }, noOpt},
		{"waiting attempt skips one", "attempt-gap", a(8), "run-5", func(b *book) { b.pending[0].Attempt = 3 }, noOpt},
		{"next between two times", "next-off-schedule", ScheduledSlot("a", minute(10).Add(time.Second)).ID, "",
			func(b *book) { b.jobs[0].Next = minute(10).Add(time.Second) }, func(o *AuditOptions) { o.Now = minute(10) }},
		{"next erased", "next-off-schedule", "", "", func(b *book) { b.jobs[0].Next = time.Time{} }, noOpt},
		{"next without a schedule", "next-off-schedule", a(10), "", func(b *book) { b.jobs[0].Schedule = "" }, func(o *AuditOptions) { o.Occurrences = nil }},
		{"schedule damaged", "next-off-schedule", a(10), "", func(b *book) { b.jobs[0].Schedule = "every now and then" }, noOpt},
		{"slot vanished", "slot-missing", a(6), "", func(b *book) { b.slots = slices.Delete(b.slots, 4, 5) }, noOpt},
		{"count too small", "slot-missing", a(1), "", func(b *book) { b.slots[1].Count = 2 }, noOpt},
		{"next moved on", "slot-missing", a(10), "", func(b *book) { b.jobs[0].Next = minute(13) }, noOpt},
		{"count too large", "slot-extra", a(1), "", func(b *book) { b.slots[1].Count = 4 }, noOpt},
		{"slot off the schedule", "slot-extra", ScheduledSlot("a", minute(6).Add(time.Second)).ID, "",
			func(b *book) {
				s := ScheduledSlot("a", minute(6).Add(time.Second))
				b.slots = append(b.slots, SlotRow{Slot: s, Verdict: Skipped, Reason: "x", Count: 1, Until: s.At})
			}, noOpt},
		{"slot twice", "slot-extra", a(7), "", func(b *book) { b.slots = append(b.slots, b.slots[5]) }, noOpt},
		{"next moved back", "slot-extra", a(9), "", func(b *book) { b.jobs[0].Next = minute(9) }, noOpt},
		{"due and forgotten", "overdue", a(10), "", func(b *book) { b.open = nil; b.runs[5].Outcome = OK; b.slots[7].Verdict = "ok" },
			func(o *AuditOptions) { o.Now = minute(12) }},
		{"attempt due and forgotten", "overdue", a(8), "", func(b *book) {
			b.open, b.runs[5].Outcome, b.slots[7].Verdict, b.jobs[0].Paused = nil, OK, "ok", false
			b.pending[0].Due = minute(8)
		}, noOpt},
		{"slot in the queue forgotten", "overdue", a(8), "", func(b *book) {
			b.open, b.runs[5].Outcome, b.slots[7].Verdict = nil, OK, "ok"
			b.pending[0].Due, b.pending[0].Attempt = minute(8), 1
		}, noOpt},
		{"slot in the queue without its row", "slot-open", a(10), "", func(b *book) {
			b.queue(10)
			b.pending = b.pending[:1]
		}, noOpt},
		{"state of a run that nobody knows", "state-not-ok", "", "run-lost", func(b *book) {
			b.state = []StateEntry{{Token: Token{"a", 5, "run-lost"}, Key: "k"}}
			b.runs[4].Seq = 9
			b.jobs[0].Lanes = 2
		}, noOpt},
		{"output vanished", "output-missing", a(4), "run-1", func(b *book) { delete(b.outputs, "run-1") }, noOpt},
		{"output cut", "output-missing", a(4), "run-1", func(b *book) { b.outputs["run-1"] = []byte("hell") }, noOpt},
		{"output changed", "output-missing", a(4), "run-1", func(b *book) { b.outputs["run-1"] = []byte("hallo") }, noOpt},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, opt := valid(), options()
			test.damage(b)
			test.opt(&opt)
			found := audit(t, b, opt)
			if !slices.ContainsFunc(found, func(f Finding) bool {
				return f.Code == test.code && f.Job == "a" && f.Slot == test.slot && f.RunID == test.run
			}) {
				t.Errorf("no %s of slot %q, run %q in %+v", test.code, test.slot, test.run, found)
			}
		})
	}
}

// What an operator or a prune may do leaves nothing to find.
func TestAuditAcceptsWhatIsLegal(t *testing.T) {
	tests := map[string]func(b *book, o *AuditOptions){
		"two lanes": func(b *book, o *AuditOptions) {
			s := ScheduledSlot("a", minute(10))
			b.slot(s, "", b.ran(s, 1, Running).RunID)
			b.jobs[0].Next = minute(11)
			o.Lanes = func(Job) int { return 2 }
		},
		"two lanes, one after the other": func(b *book, o *AuditOptions) { b.beside(10, 2) },
		"more claims than the policy allows by now": func(b *book, o *AuditOptions) {
			b.beside(10, 3)
			b.beside(11, 3)
			b.open[2].Lanes, b.open[0].Lanes = 3, 1 // the policy was skip, then allow, and is skip again
		},
		"slots in the queue": func(b *book, o *AuditOptions) {
			b.queue(10)
			b.queue(11)
		},
		"slots in the queue of a job that is paused": func(b *book, o *AuditOptions) {
			b.queue(10)
			b.open, b.runs[5].Outcome, b.slots[7].Verdict = nil, OK, "ok"
			b.jobs[0].Paused = true
			o.Now = minute(1000)
		},
		"a queue that moves": func(b *book, o *AuditOptions) {
			b.queue(10)
			b.open, b.runs[5].Outcome, b.slots[7].Verdict = nil, OK, "ok"
			o.Now = minute(500)
			b.runs[5].EndedAt = o.Now.Add(-time.Second)
			b.jobs[0].LastRun, b.jobs[0].Last, b.jobs[0].LastEnded = "run-6", OK, b.runs[5].EndedAt
			b.jobs[0].Next, b.jobs[0].Anchor = minute(501), minute(500)
		},
		"a long run that ended after younger ones were pruned": func(b *book, o *AuditOptions) {
			b.state = []StateEntry{{Token: Token{"a", 5, "run-pruned"}, Key: "k"}}
			b.runs = slices.Delete(b.runs, 1, 5) // 2 to 5 are gone, 1 ended last
			b.slots = slices.Delete(b.slots, 3, 7)
			b.slots = append(b.slots, SlotRow{Slot: ScheduledSlot("a", minute(5)), Verdict: "ok", Count: 4, Until: minute(8)})
			b.pending = nil
			b.runs[0].EndedAt = minute(10)
			b.jobs[0].Lanes, b.jobs[0].LastRun, b.jobs[0].Last, b.jobs[0].LastEnded = 2, "run-1", OK, minute(10)
		},
		"pruned and folded": func(b *book, o *AuditOptions) {
			b.runs = slices.Delete(b.runs, 0, 2) // both ran slots 4 and 5, of which one attempt is left
			b.slots[3].RunIDs = b.slots[3].RunIDs[1:]
			b.slots[2] = SlotRow{Slot: b.slots[2].Slot, Verdict: "ok", Count: 1, Until: minute(4)}
		},
		"interleaved folds": func(b *book, o *AuditOptions) { // 1 to 5 in two rows that overlap
			b.runs = slices.Delete(b.runs, 0, 3)
			b.slots = slices.Delete(b.slots, 1, 4)
			b.slots = append(b.slots, SlotRow{Slot: ScheduledSlot("a", minute(1)), Verdict: "ok", Count: 3, Until: minute(5)},
				SlotRow{Slot: ScheduledSlot("a", minute(2)), Verdict: "failed", Count: 2, Until: minute(4)})
		},
		"folded over a change of the schedule": func(b *book, o *AuditOptions) {
			b.slots[0].Until, b.slots[0].Count = minute(2), 5
			b.slots[1] = SlotRow{Slot: ScheduledSlot("a", minute(3)), Verdict: Missed, Count: 1, Until: minute(3)}
		},
		"waiting attempt given up": func(b *book, o *AuditOptions) {
			b.pending = nil
			b.slots[6].Verdict, b.slots[6].Reason = Skipped, "the job was removed"
		},
		"paused long ago": func(b *book, o *AuditOptions) {
			b.open, b.runs[5].Outcome, b.slots[7].Verdict = nil, OK, "ok"
			b.jobs[0].Paused = true
			o.Now = minute(1000)
		},
		"behind an open claim": func(b *book, o *AuditOptions) { b.open[0].Deadline, o.Now = time.Time{}, minute(1000) },
		"claim dated in the future": func(b *book, o *AuditOptions) {
			b.open[0].ClaimedAt = minute(100)
			o.Alive = func(Owner) (fingerprint.Verdict, string) { return fingerprint.Dead, "its lock is free" }
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			b, opt := valid(), options()
			change(b, &opt)
			if found := audit(t, b, opt); len(found) != 0 {
				t.Errorf("findings: %+v", found)
			}
		})
	}
}

// A commit that lands between two queries is no finding; damage that stays is one, however busy the job.
func TestAuditOfMovingStore(t *testing.T) {
	b := valid()
	b.onSlots = func() { // ends the open run right after the claims were read for the first time
		b.open, b.onSlots = nil, nil
		b.runs[5].Outcome, b.slots[7].Verdict = OK, "ok"
		b.jobs[0].Rev++
	}
	if found := audit(t, b, options()); len(found) != 0 {
		t.Errorf("findings of a commit on the way: %+v", found)
	}
	b = valid()
	b.slots[5].Verdict = "ok"
	looks := 0
	b.onSlots = func() { looks++; b.jobs[0].Rev++ }
	if found := audit(t, b, options()); len(found) != 1 || found[0].Code != "slot-verdict" {
		t.Errorf("findings in a store that never rests: %+v", found)
	}
	if looks > 20 {
		t.Errorf("the slots were read %d times", looks)
	}
}

// The walk along the schedule is bounded, and ends with the context.
func TestAuditWalk(t *testing.T) {
	b := valid()
	b.slots = slices.Delete(b.slots, 4, 5) // slot 6
	opt := options()
	opt.Walk = 2 // slots 8 and 9
	if found := audit(t, b, opt); len(found) != 0 {
		t.Errorf("findings before the newest two slots: %+v", found)
	}
	opt.Walk = 4
	if found := audit(t, b, opt); len(found) != 1 || found[0].Code != "slot-missing" {
		t.Errorf("findings in the newest slots: %+v", found)
	}
	b = &book{jobs: []Job{{Name: "a", Schedule: "every 1s", Anchor: t0, Next: t0.AddDate(100, 0, 0)}}}
	ctx, cancel := context.WithCancel(t.Context())
	opt = options()
	steps := 0
	opt.Occurrences = func(j Job) (func(time.Time) time.Time, error) {
		next, err := occurrences(j)
		return func(t time.Time) time.Time {
			if steps++; steps == 5000 {
				cancel()
			}
			return next(t)
		}, err
	}
	if _, err := Audit(ctx, b, opt); !errors.Is(err, context.Canceled) || steps > 10_000 {
		t.Errorf("error %v after %d steps", err, steps)
	}
	opt.Occurrences = occurrences
	if found := audit(t, b, opt); len(found) != 1 || found[0].Slot != ScheduledSlot("a", t0.Add(time.Second)).ID {
		t.Errorf("findings of a hundred years: %+v", found)
	}
}
