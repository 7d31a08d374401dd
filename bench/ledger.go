package bench

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
	"github.com/wcron/wcron/host"
)

// auditGrace is the slack of the audit for due times that nobody has looked at yet.
const auditGrace = 2 * time.Second

// ledger is all that a store says after a measurement.
type ledger struct {
	jobs     []claims.Job
	slots    map[string][]claims.SlotRow // by job, oldest first
	runs     map[string][]claims.Run     // by job, oldest first
	bySlot   map[string][]claims.Run     // by slot id, oldest first
	open     []claims.Open
	state    map[string][]claims.StateEntry // by job
	findings []claims.Finding
}

// readLedger reads a store at rest and audits it as of the time when its hosts began to stop.
func readLedger(ctx context.Context, s claims.Store, stopped time.Time) (*ledger, error) {
	l := &ledger{slots: map[string][]claims.SlotRow{}, runs: map[string][]claims.Run{}, bySlot: map[string][]claims.Run{},
		state: map[string][]claims.StateEntry{}}
	var err error
	if l.jobs, err = s.Jobs(ctx); err != nil {
		return nil, err
	}
	for _, job := range l.jobs {
		if l.state[job.Name], _, err = s.State(ctx, job.Name); err != nil {
			return nil, err
		}
	}
	if l.open, err = s.Open(ctx); err != nil {
		return nil, err
	}
	slots, err := s.Slots(ctx, claims.SlotQuery{Limit: -1})
	if err != nil {
		return nil, err
	}
	for _, row := range slots {
		l.slots[row.Slot.Job] = append(l.slots[row.Slot.Job], row)
	}
	runs, err := s.Runs(ctx, claims.RunQuery{Limit: -1})
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		l.runs[run.Job] = append(l.runs[run.Job], run)
	}
	for job := range l.slots {
		slices.SortStableFunc(l.slots[job], func(a, b claims.SlotRow) int { return a.Slot.At.Compare(b.Slot.At) })
	}
	for job := range l.runs {
		slices.SortFunc(l.runs[job], func(a, b claims.Run) int { return int(a.Seq - b.Seq) })
		for _, run := range l.runs[job] {
			l.bySlot[run.Slot.ID] = append(l.bySlot[run.Slot.ID], run)
		}
	}
	l.findings, err = claims.Audit(ctx, s, claims.AuditOptions{
		Now: stopped, Grace: auditGrace, Occurrences: host.Occurrences, CheckOutput: true,
		Alive: func(o claims.Owner) (fingerprint.Verdict, string) {
			probe, err := s.Probe(ctx, o.ID)
			if err != nil {
				return fingerprint.Unknown, err.Error()
			}
			defer probe.Release()
			return claims.JudgeOwner(o, probe)
		},
	})
	return l, err
}

// fate is what one due time came to.
type fate struct {
	at   time.Time
	rows []claims.SlotRow // those that cover it; exactly one if all is well
	runs []claims.Run     // its attempts
}

// fates lists the times of a job's schedule within the window, each with what became of it.
func (l *ledger) fates(job claims.Job, w window) ([]fate, error) {
	next, err := host.Occurrences(job)
	if err != nil {
		return nil, err
	}
	rows := l.slots[job.Name]
	var out []fate
	for t := next(w.first.Add(-time.Millisecond)); !t.IsZero() && !t.After(w.last); t = next(t) {
		for len(rows) > 0 && rows[0].Until.Before(t) {
			rows = rows[1:]
		}
		f := fate{at: t, runs: l.bySlot[claims.ScheduledSlot(job.Name, t).ID]}
		for _, row := range rows {
			if row.Slot.At.After(t) {
				break
			}
			if row.Slot.Kind == claims.Scheduled && !row.Until.Before(t) {
				f.rows = append(f.rows, row)
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// started is the attempt whose guest started, if there is one.
func (f fate) started() (claims.Run, bool) {
	for _, run := range f.runs {
		if !run.StartedAt.IsZero() {
			return run, true
		}
	}
	return claims.Run{}, false
}

// Tally counts the slots of a group of jobs by what they came to.
type Tally struct {
	Due        int            `json:"due"`
	Started    int            `json:"started"`
	OK         int            `json:"ok"`
	Missed     int            `json:"missed"`
	Skipped    int            `json:"skipped"`
	NoVerdict  int            `json:"no_verdict"` // neither a run nor a reason is on record
	NotStarted int            `json:"claimed_not_started"`
	Reasons    map[string]int `json:"reasons"` // of slots that did not start
}

// names matches what makes equal reasons look different: run ids and pids.
var names = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bprocess \d+`)

func anonymous(reason string) string { return names.ReplaceAllString(reason, "…") }

// add counts one slot.
func (t *Tally) add(f fate) {
	t.Due++
	if run, ok := f.started(); ok {
		t.Started++
		if run.Outcome == claims.OK {
			t.OK++
		}
		return
	}
	if t.Reasons == nil {
		t.Reasons = map[string]int{}
	}
	switch {
	case len(f.runs) > 0:
		t.NotStarted++
		t.Reasons[anonymous(f.runs[len(f.runs)-1].Reason)]++
	case len(f.rows) == 0 || f.rows[0].Verdict == "":
		t.NoVerdict++
	default:
		if f.rows[0].Verdict == claims.Missed {
			t.Missed++
		} else {
			t.Skipped++
		}
		t.Reasons[anonymous(f.rows[0].Reason)]++
	}
}

// overlaps finds runs of one job whose guests lived at the same time. died says when a killed owner did: until then the guests of
// its orphans may have lived.
func (l *ledger) overlaps(died map[string]time.Time) []string {
	var found []string
	for _, job := range l.jobs {
		type span struct {
			id       string
			from, to time.Time
		}
		var spans []span
		for _, run := range l.runs[job.Name] {
			s := span{id: run.RunID, from: run.StartedAt, to: run.EndedAt}
			at, killed := died[run.Owner]
			if s.from.IsZero() && run.Outcome == claims.Orphaned {
				s.from = run.ClaimedAt
			}
			if killed && (s.to.IsZero() || s.to.After(at)) {
				s.to = at
			}
			if !s.from.IsZero() {
				spans = append(spans, s)
			}
		}
		slices.SortStableFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
		for i := 1; i < len(spans); i++ {
			before, s := spans[i-1], spans[i]
			if before.to.IsZero() || s.from.Before(before.to) {
				found = append(found, fmt.Sprintf("job %s: run %s was alive when run %s started at %s", job.Name, before.id, s.id,
					s.from.Format("15:04:05.000")))
			}
			if before.to.After(s.to) && !s.to.IsZero() {
				spans[i].to = before.to
			}
		}
	}
	return found
}
