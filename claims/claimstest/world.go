package claimstest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// The owners that have joined in each scenario, and the job set of its jobs.
const (
	alpha  = "owner-alpha"
	beta   = "owner-beta"
	source = "folder"
	period = "every 1m0s"
)

// world is one scenario: a store, a clock that moves when told, and run ids.
type world struct {
	*testing.T
	h   Harness
	s   claims.Store
	ctx context.Context
	now time.Time
	ids atomic.Int64
}

func newWorld(t *testing.T, h Harness) *world {
	w := &world{T: t, h: h, ctx: context.Background(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.s = h.open(t)
	w.join(w.s, alpha)
	w.join(w.s, beta)
	return w
}

// open opens a new store that is closed with the test.
func (h Harness) open(t *testing.T) claims.Store {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, claims.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// again opens the scenario's store once more; the scenario is skipped where that cannot be done.
func (w *world) again() claims.Store {
	w.Helper()
	if w.h.Again == nil {
		w.Skip("needs a second opening of the store")
	}
	s := w.h.Again(w.T, w.s)
	w.Cleanup(func() { _ = s.Close() })
	return s
}

func (w *world) join(s claims.Store, id string) func(context.Context, time.Time) error {
	w.Helper()
	o := claims.Owner{ID: id, PID: os.Getpid(), Host: "here", Evidence: []byte(`{}`), Socket: "/run/" + id, Version: "v1", Started: w.now, Seen: w.now}
	leave, err := s.Join(w.ctx, w.now, o)
	w.must(err)
	return leave
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wait(d time.Duration) { w.now = w.now.Add(d) }

// id makes a run id; no two share a prefix of 8 characters.
func (w *world) id() string {
	n := w.ids.Add(1)
	return fmt.Sprintf("%08x-0000-7000-8000-%012x", uint32(n)*0x9e3779b1, n)
}

// occurrences reads the schedules of the suite, "every DURATION" counted from the anchor and "at TIME".
func occurrences(j claims.Job) (func(time.Time) time.Time, error) {
	if text, ok := strings.CutPrefix(j.Schedule, "at "); ok {
		at, err := time.Parse(time.RFC3339, text)
		return func(after time.Time) time.Time {
			if after.Before(at) {
				return at
			}
			return time.Time{}
		}, err
	}
	d, err := time.ParseDuration(strings.TrimPrefix(j.Schedule, "every "))
	return func(after time.Time) time.Time {
		if after.Before(j.Anchor) {
			return j.Anchor.Add(d)
		}
		return j.Anchor.Add(after.Sub(j.Anchor).Truncate(d) + d)
	}, err
}

func next(j claims.Job, after time.Time) time.Time {
	f, err := occurrences(j)
	if err != nil || j.Schedule == "" {
		return time.Time{}
	}
	return f(after)
}

// def is the registration of a job with a schedule.
func def(name, schedule string, now time.Time) claims.Put {
	return claims.Put{Name: name, Definition: "def-1", Schedule: schedule, Timezone: "UTC",
		First: next(claims.Job{Schedule: schedule, Anchor: now}, now)}
}

func (w *world) put(jobs ...claims.Put) []claims.Job {
	w.Helper()
	rows, err := w.s.Put(w.ctx, w.now, source, jobs)
	w.must(err)
	if len(rows) != len(jobs) {
		w.Fatalf("put %d jobs: %d rows", len(jobs), len(rows))
	}
	for i, j := range rows {
		if j.Name != jobs[i].Name {
			w.Fatalf("put: row %d is %q, want %q", i, j.Name, jobs[i].Name)
		}
	}
	return rows
}

// minutely registers jobs that are due each minute.
func (w *world) minutely(names ...string) {
	w.Helper()
	for _, name := range names {
		w.put(def(name, period, w.now))
	}
}

func (w *world) remove(names ...string) {
	w.Helper()
	w.must(w.s.Remove(w.ctx, w.now, source, names))
}

func (w *world) job(name string) claims.Job {
	w.Helper()
	j, err := w.s.Job(w.ctx, name)
	w.must(err)
	return j
}

// due moves the clock to the job's next due time and returns the claim of that slot.
func (w *world) due(name string) claims.Claim {
	w.Helper()
	j := w.job(name)
	if j.Next.IsZero() {
		w.Fatalf("job %q has no next due time", name)
	}
	if j.Next.After(w.now) {
		w.now = j.Next
	}
	return w.item(j)
}

// item is the claim of a job's next slot.
func (w *world) item(j claims.Job) claims.Claim {
	return claims.Claim{Slot: claims.ScheduledSlot(j.Name, j.Next), Attempt: 1, RunID: w.id(), Deadline: w.now.Add(time.Hour),
		Digest: "digest", From: j.Next, Next: next(j, j.Next), IfBusy: "an earlier run is still going"}
}

// pendingItem is the claim of pending work.
func (w *world) pendingItem(p claims.Pending) claims.Claim {
	return claims.Claim{Slot: p.Slot, Attempt: p.Attempt, RunID: w.id(), Deadline: w.now.Add(time.Hour), Digest: "digest"}
}

func (w *world) claim(owner string, items ...claims.Claim) []claims.Claimed {
	w.Helper()
	got, err := w.s.Claim(w.ctx, w.now, owner, items)
	w.must(err)
	if len(got) != len(items) {
		w.Fatalf("claim %d items: %d answers", len(items), len(got))
	}
	return got
}

// claimed claims one item and expects the answer.
func (w *world) claimed(owner string, item claims.Claim, want claims.ClaimStatus) claims.Claimed {
	w.Helper()
	got := w.claim(owner, item)[0]
	if got.Status != want {
		w.Fatalf("claim of %s: %s, want %s", item.Slot.ID, got.Status, want)
	}
	if want == claims.Won && (got.Token.Job != item.Slot.Job || got.Token.RunID != item.RunID || got.Token.Seq <= 0) {
		w.Fatalf("claim of %s by run %s: token %+v", item.Slot.ID, item.RunID, got.Token)
	}
	return got
}

// start claims the job's next slot once it is due.
func (w *world) start(owner, name string) claims.Token {
	w.Helper()
	return w.claimed(owner, w.due(name), claims.Won).Token
}

// final is a result that came now.
func (w *world) final(tok claims.Token, o claims.Outcome) claims.Final {
	return claims.Final{Token: tok, Outcome: o, StartedAt: w.now.Add(-time.Millisecond), EndedAt: w.now}
}

func (w *world) finalize(f claims.Final, want claims.FinalStatus) claims.Job {
	w.Helper()
	got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
	w.must(err)
	if len(got) != 1 || got[0].Status != want {
		w.Fatalf("finalize run %s as %s: %+v, want %s", f.RunID, f.Outcome, got, want)
	}
	return got[0].Job
}

func (w *world) finish(tok claims.Token, o claims.Outcome) {
	w.Helper()
	w.finalize(w.final(tok, o), claims.Done)
}

func (w *world) request(r claims.Request) {
	w.Helper()
	w.must(w.s.Request(w.ctx, w.now, r))
}

func (w *world) trigger(name, id string) {
	w.Helper()
	w.request(claims.Request{Kind: claims.Trigger, Job: name, ID: id, By: "ann", Input: []byte(`{"id":"` + id + `"}`)})
}

func (w *world) pending(want int) []claims.Pending {
	w.Helper()
	rows, err := w.s.Pending(w.ctx)
	w.must(err)
	if len(rows) != want {
		w.Fatalf("%d pending rows, want %d: %+v", len(rows), want, rows)
	}
	return rows
}

func (w *world) open(want int) []claims.Open {
	w.Helper()
	rows, err := w.s.Open(w.ctx)
	w.must(err)
	if len(rows) != want {
		w.Fatalf("%d open claims, want %d: %+v", len(rows), want, rows)
	}
	return rows
}

func (w *world) run(id string) claims.Run {
	w.Helper()
	rows, err := w.s.Runs(w.ctx, claims.RunQuery{RunID: id})
	w.must(err)
	if len(rows) != 1 || rows[0].RunID != id {
		w.Fatalf("run %s: %+v", id, rows)
	}
	return rows[0]
}

// outcome expects what a run came to.
func (w *world) outcome(tok claims.Token, want claims.Outcome) claims.Run {
	w.Helper()
	r := w.run(tok.RunID)
	if r.Outcome != want {
		w.Fatalf("run %s: %s, want %s", tok.RunID, r.Outcome, want)
	}
	return r
}

// verdicts counts the slots of a job by verdict.
func (w *world) verdicts(job string) map[claims.Verdict]int64 {
	w.Helper()
	rows, err := w.s.Slots(w.ctx, claims.SlotQuery{Job: job, Limit: -1})
	w.must(err)
	n := map[claims.Verdict]int64{}
	for _, r := range rows {
		n[r.Verdict] += r.Count
	}
	return n
}

func (w *world) verdict(job string, want map[claims.Verdict]int64) {
	w.Helper()
	got := w.verdicts(job)
	for v := range got {
		if got[v] == 0 {
			delete(got, v)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Fatalf("verdicts of %q: %v, want %v", job, got, want)
	}
}

// audit expects no finding. The scenarios leave claims open and slots due on purpose, hence the grace.
func (w *world) audit() {
	w.Helper()
	auditStore(w.T, w.s, w.now)
}

func auditStore(t testing.TB, s claims.Audited, now time.Time) {
	t.Helper()
	found, err := claims.Audit(context.Background(), s, claims.AuditOptions{Now: now, Grace: 240 * time.Hour, CheckOutput: true,
		Occurrences: occurrences})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("audit: %s job %s slot %s run %s: %s", f.Code, f.Job, f.Slot, f.RunID, f.What)
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// inline is an output that travels inside the commit.
func inline(text string) claims.Output {
	return claims.Output{Inline: []byte(text), Bytes: int64(len(text)), Digest: digest([]byte(text))}
}
