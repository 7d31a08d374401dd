package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// count is the state of a job as its guests keep it: the end of the id of the run that wrote it, and how many have. The zero value
// is no state.
type count struct {
	by string
	n  int
}

func (c count) String() string {
	if c == (count{}) {
		return "nothing"
	}
	return fmt.Sprintf("the count %d of the run that ends with %s", c.n, c.by)
}

func tail(run string) string { return run[max(len(run)-guest.WitnessTail, 0):] }

// states holds what runs have read, and what the ledger has at the end, against what ok runs have written. Runs of a job follow
// each other in the order of their claims, so each must have read what the last ok run before it wrote, and nothing where its job
// was removed in between: that takes a number of the job's fencing counter.
func (f *TortureFigures) states(l *ledger, all map[string]*testimony, removals map[string]int) {
	for _, job := range l.jobs {
		s := history{f: f, job: job.Name, runs: l.runs[job.Name]}
		for _, run := range s.runs {
			s.pass(run.Seq - 1)
			s.hear(run, all[run.RunID])
			s.seq = run.Seq
		}
		s.pass(job.Seq)
		s.compare("the ledger has", s.want, s.kept(l.state[job.Name]))
		if s.removed > removals[job.Name] {
			f.Lost = append(f.Lost, fmt.Sprintf("job %s: its counter has %d numbers that are no run's, and its removal was begun %d times", job.Name, s.removed,
				removals[job.Name]))
		}
	}
}

// history is how the state of a job became what it is.
type history struct {
	f       *TortureFigures
	job     string
	runs    []claims.Run
	seq     int64 // of the claim, or the removal, that was looked at last
	born    int64 // of the latest removal
	removed int
	want    count // as of now
}

// pass goes on to a number of the fencing counter. Those that no run has are removals.
func (s *history) pass(seq int64) {
	if seq > s.seq {
		s.removed += int(seq - s.seq)
		s.seq, s.born, s.want = seq, seq, count{}
	}
}

// hear takes in what a run has read and written.
func (s *history) hear(run claims.Run, t *testimony) {
	if t != nil && t.hasRead {
		s.f.Read++
		// A run whose job was removed before it read its state has read nothing, or what there was.
		if run.Outcome != claims.Discarded || t.read != (count{}) {
			s.compare(fmt.Sprintf("run %s (%s) has read", run.RunID, run.Outcome), s.want, t.read)
		}
	}
	if run.Outcome != claims.OK {
		return
	}
	s.want = count{tail(run.RunID), s.want.n + 1}
	if t == nil || t.wrote != s.want.n {
		s.f.StateLost = append(s.f.StateLost, fmt.Sprintf("job %s: run %s is ok as number %d that is, and did not write that: %+v", s.job, run.RunID, s.want.n, t))
	}
}

// compare reports where a state is not what it should be: lost what is missing, leaked what should not be there.
func (s *history) compare(who string, want, got count) {
	if got == want {
		return
	}
	why := fmt.Sprintf("job %s: %s %s, and it should be %s", s.job, who, got, want)
	writer := slices.IndexFunc(s.runs, func(r claims.Run) bool { return strings.HasSuffix(r.RunID, got.by) })
	switch {
	case got == count{}:
		s.f.StateLost = append(s.f.StateLost, why)
	case writer < 0:
		s.f.StateLeak = append(s.f.StateLeak, why+"; the job has no such run")
	case s.runs[writer].Outcome != claims.OK || s.runs[writer].Seq <= s.born || got.n > want.n:
		s.f.StateLeak = append(s.f.StateLeak, fmt.Sprintf("%s; that run is %s", why, s.runs[writer].Outcome))
	default:
		s.f.StateLost = append(s.f.StateLost, why)
	}
}

// kept reads what the ledger has. State that is not a counter's is reported, and taken for none.
func (s *history) kept(entries []claims.StateEntry) count {
	if len(entries) == 0 {
		return count{}
	}
	var by, n []byte
	for _, e := range entries {
		switch e.Key {
		case guest.CountBy:
			by = e.Value
		case guest.CountN:
			n = e.Value
		}
	}
	run, c, err := guest.ReadCount(by, n)
	foreign := slices.ContainsFunc(entries, func(e claims.StateEntry) bool { return e.RunID != run })
	if err != nil || len(entries) != 2 || foreign {
		s.f.StateLeak = append(s.f.StateLeak, fmt.Sprintf("job %s: what is left is no state of one run (%v): %+v", s.job, err, entries))
		return count{}
	}
	return count{tail(run), c}
}
