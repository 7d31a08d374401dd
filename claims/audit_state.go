package claims

import (
	"fmt"
	"time"
)

// pruned tells whether a run of that seq may have been pruned. The oldest of those that have ended go first: so it was not if an
// older one is still there. Where runs of the job overlap, the older one may have ended last; then it has to have ended before
// another one that is older than the run was claimed.
func pruned(seq int64, runs []Run, lanes int) bool {
	var before time.Time // the run was not claimed earlier
	for _, r := range runs {
		if r.Seq < seq && r.ClaimedAt.After(before) {
			before = r.ClaimedAt
		}
	}
	for _, r := range runs {
		if r.Outcome != Running && r.Seq < seq && (lanes <= 1 || !r.EndedAt.After(before)) {
			return false
		}
	}
	return true
}

// counts compares what the job's row says of its runs with the history: counts. A job that was removed is let be: its row is that of
// its last day, and its last run may have been discarded later.
func counts(r reading) []Finding {
	j := r.job
	if j.Name == "" || !j.Removed.IsZero() {
		return nil
	}
	var f []Finding
	add := func(run Run, format string, args ...any) {
		f = append(f, Finding{Code: "counts", Job: r.name, Slot: run.Slot.ID, RunID: run.RunID, What: fmt.Sprintf(format, args...), Remedy: damaged})
	}
	if what, run := lastRun(j, r.runs); what != "" {
		add(run, "%s", what)
	}
	if j.Born > j.Seq {
		add(Run{}, "the job was added at seq %d, and its seq is %d", j.Born, j.Seq)
	}
	var counted, claims int64
	whole := true
	for _, run := range r.runs {
		if run.Seq <= j.Born {
			continue
		}
		if run.Seq > j.Seq {
			add(run, "the run has seq %d, and the job has got to %d", run.Seq, j.Seq)
		}
		claims++
		switch {
		case run.Counted != nil && *run.Counted:
			counted++
		case run.Counted == nil && run.Outcome != Running:
			whole = false
		}
	}
	whole = whole && claims == j.Seq-j.Born
	if j.Repeats < counted || whole && j.Repeats > counted || j.Repeats > j.Seq-j.Born {
		add(Run{}, "the job counts %d repeats, and its history has %d", j.Repeats, counted)
	}
	return f
}

// lastRun says what is wrong with the run that the job names as its last one.
func lastRun(j Job, runs []Run) (string, Run) {
	if j.LastRun == "" {
		for _, run := range runs {
			if run.Seq > j.Born && run.Outcome != Running && run.Outcome != Discarded {
				return fmt.Sprintf("the job names no last run, and the run came to %s", run.Outcome), run
			}
		}
		return "", Run{}
	}
	for _, run := range runs {
		switch {
		case run.RunID != j.LastRun:
		case run.Outcome != j.Last || !run.EndedAt.Equal(j.LastEnded):
			return fmt.Sprintf("the job says that its last run came to %s at %s, and the run to %s at %s", j.Last, stamp(j.LastEnded),
				run.Outcome, stamp(run.EndedAt)), run
		default:
			return "", run
		}
	}
	var there int64
	for _, run := range runs {
		if run.Seq > j.Born {
			there++
		}
	}
	if there == j.Seq-j.Born {
		return fmt.Sprintf("the job's last run %s is not in history, and every run since it was added is", j.LastRun), Run{}
	}
	return "", Run{}
}

// state checks who wrote what the job has: state-not-ok.
func state(r reading) []Finding {
	runs := map[string]Run{}
	for _, run := range r.runs {
		runs[run.RunID] = run
	}
	var f []Finding
	for _, e := range r.state {
		run, found := runs[e.RunID]
		what := ""
		switch {
		case r.job.Name == "" || !r.job.Removed.IsZero():
			what = "the job does not exist"
		case e.Seq <= r.job.Born || e.Seq > r.job.Seq:
			what = fmt.Sprintf("it was written at seq %d, and the job's claims are those from %d to %d", e.Seq, r.job.Born+1, r.job.Seq)
		case !found && !pruned(e.Seq, r.runs, r.job.Lanes):
			what = "its run is not in history, and older ones are"
		case found && run.Outcome != OK:
			what = fmt.Sprintf("its run is %s", run.Outcome)
		case found && run.Seq != e.Seq:
			what = fmt.Sprintf("it was written at seq %d, and its run has %d", e.Seq, run.Seq)
		}
		if what != "" {
			f = append(f, Finding{Code: "state-not-ok", Job: r.name, Slot: run.Slot.ID, RunID: e.RunID,
				What: fmt.Sprintf("key %.80q of the state: %s", e.Key, what), Remedy: "see whether the job's state is right. " + damaged})
		}
	}
	return f
}
