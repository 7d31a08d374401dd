package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wcron/wcron/admin"
)

// runView is the page of a run.
type runView struct {
	ID, Job  string
	Outcome  outcome
	Reason   string
	Now      *running // nil: it has ended, or runs on another host
	Events   []fact
	Facts    []fact
	Attempts []runLine // of its slot, if there are others
	Output   printed
}

// run shows a run.
func (d *dashboard) run(ctx context.Context, req *http.Request, c clock) (view, error) {
	r, err := d.oneRun(ctx, req.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	v := runView{ID: r.RunID, Job: clip(r.Job), Outcome: outcomeOf(r), Reason: text(r.Reason), Events: eventsOf(r, c), Facts: runFacts(r)}
	if r.EndedAt == nil {
		if v.Now, err = d.now(ctx, r, c); err != nil {
			return view{}, err
		}
	}
	attempts, err := d.API.Runs(ctx, admin.RunQuery{Slot: r.Slot, Limit: maxAttempts})
	if err != nil {
		return view{}, err
	}
	for _, a := range attempts {
		if a.RunID != r.RunID {
			v.Attempts = append(v.Attempts, runLineOf(a, c))
		}
	}
	v.Output = d.print(ctx, r)
	return view{Name: "run", Title: "Run " + short(r.RunID) + " of " + v.Job, Live: r.EndedAt == nil, Body: v}, nil
}

// now is how far a run is; nil: its job is not there any more.
func (d *dashboard) now(ctx context.Context, r admin.Run, c clock) (*running, error) {
	j, err := d.find(ctx, r.Job)
	if errors.Is(err, errNothing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return new(progressOf(r, j, c)), nil
}

// oneRun finds a run by its id or a prefix of it that no other run has.
func (d *dashboard) oneRun(ctx context.Context, id string) (admin.Run, error) {
	runs, err := d.API.Runs(ctx, admin.RunQuery{RunID: id, Limit: 1})
	switch {
	case err != nil:
		return admin.Run{}, err
	case len(runs) == 0:
		return admin.Run{}, fmt.Errorf("%w: no run has the id %q; its job may keep no more runs than its history_runs", errNothing, clipTo(id, 100))
	}
	return runs[0], nil
}

// eventsOf is what happened to a run, in the order in which it did.
func eventsOf(r admin.Run, c clock) []fact {
	var f facts
	due := "by its schedule"
	switch {
	case r.AtStart:
		due = "at the start of a host (@reboot)"
	case r.Manual:
		due = "by hand"
	case r.Backfill:
		due = "as a backfill"
	}
	f.time("due", c.at(r.ScheduledAt), due)
	f.time("claimed", c.at(r.ClaimedAt), "by "+clip(r.Owner))
	note := ""
	if r.LatenessMS != nil {
		note = took(r.LatenessMS) + " after it was due"
	}
	f.time("guest started", c.of(r.StartedAt), note)
	note = outcomeOf(r).Word
	if r.DurationMS != nil {
		note += " after " + took(r.DurationMS)
	}
	f.time("ended", c.of(r.EndedAt), note)
	f.time("late result", c.of(r.LateAt), text(r.LateOutcome)+": nothing of it was committed but its output")
	return f
}

// runFacts is all else that is known of a run.
func runFacts(r admin.Run) []fact {
	var f facts
	f.text("slot", r.Slot)
	f.text("attempt", strconv.Itoa(r.Attempt))
	f.text("cause", text(r.Cause))
	if r.ExitCode != nil {
		f.text("exit code", strconv.FormatInt(*r.ExitCode, 10))
	}
	f.text("evidence", text(r.Evidence))
	f.text("owner", r.Owner)
	if r.Fuel != nil {
		f.text("fuel", digits(r.Fuel))
	}
	if r.MemoryBytes > 0 {
		f.text("peak of memory", bytesText(r.MemoryBytes))
	}
	if r.StandsFor > 0 {
		f.text("stands for", plural(r.StandsFor, "further slot"))
	}
	f.text("module", r.Digest)
	for _, n := range outputNotes(r) {
		f.text("note", n)
	}
	return f
}

// lateEnough is how late a start has to be to be worth a word.
const lateEnough = 2 * time.Second

// notesOf is what a line of a list says of a run besides.
func notesOf(r admin.Run) (notes []string) {
	if r.Attempt > 1 {
		notes = append(notes, fmt.Sprintf("attempt %d", r.Attempt))
	}
	switch {
	case r.AtStart:
		notes = append(notes, "at the start of a host (@reboot)")
	case r.Manual:
		notes = append(notes, "by hand")
	case r.Backfill:
		notes = append(notes, "backfill")
	case r.LatenessMS != nil && *r.LatenessMS >= lateEnough.Milliseconds():
		notes = append(notes, "started "+took(r.LatenessMS)+" late")
	}
	if s := text(r.Reason); s != "" && (r.ExitCode == nil || s != fmt.Sprintf("exit code %d", *r.ExitCode)) { // the outcome says that
		notes = append(notes, s)
	}
	if r.LateAt != nil {
		notes = append(notes, "a late result ("+text(r.LateOutcome)+") was not committed")
	}
	return append(notes, outputNotes(r)...)
}

func outputNotes(r admin.Run) (notes []string) {
	if r.Partial {
		notes = append(notes, "output is partial: it is what a recovery could still find")
	}
	if r.OutputCutBytes > 0 {
		notes = append(notes, bytesText(r.OutputCutBytes)+" of output were not kept")
	}
	return notes
}
