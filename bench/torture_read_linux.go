package bench

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/bench/witness"
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/internal/guest"
)

// nobody is whose state a guest has read when there was none.
const nobody = "0000000"

// testimony is what the witness file says of one run.
type testimony struct {
	run           string
	enters        int
	leaves        int
	first, last   int64 // boot clock of the guest's first and last word; overlaps moves last on to that of earlier runs
	spoke         int64 // boot clock of the guest's last word
	read          count // the state that it was given
	hasRead       bool
	wrote         int // the count that it has written; 0: none
	slot, attempt string
	claimed       bool
	committed     []string // outcomes that the ledger acknowledged
	notified      []string // outcomes that were to be told to others
}

// account is what the witness file says.
type account struct {
	runs     map[string]*testimony
	removals map[string]int // by job: begun
	fenced   int
	lines    int
}

// readWitness reads the witness file. A line that a kill has cut off is the last word of its writer, and is refused like any other
// that cannot be read: appended by one write, it is there whole or not at all.
func readWitness(path string) (*account, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a := &account{runs: map[string]*testimony{}, removals: map[string]int{}}
	for line := range strings.Lines(string(text)) {
		a.lines++
		word := strings.Fields(line)
		if len(word) < 3 {
			return nil, fmt.Errorf("line %d of the witness file: %q", a.lines, line)
		}
		at, err := strconv.ParseInt(word[0], 10, 64)
		if err == nil {
			err = a.hear(at, word[1], word[2], word[3:])
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of the witness file: %w", a.lines, err)
		}
	}
	return a, nil
}

func (a *account) hear(at int64, kind, of string, rest []string) error {
	switch kind {
	case witness.Removing:
		a.removals[of]++
		return nil
	case witness.Fenced:
		a.fenced++
	}
	t := a.runs[of]
	if t == nil {
		t = &testimony{run: of}
		a.runs[of] = t
	}
	return t.hear(at, kind, rest)
}

func (t *testimony) hear(at int64, kind string, rest []string) (err error) {
	switch {
	case kind == witness.Claim && len(rest) == 2:
		t.claimed, t.slot, t.attempt = true, rest[0], rest[1]
		return nil
	case kind == witness.Commit && len(rest) == 1:
		t.committed = append(t.committed, rest[0])
		return nil
	case kind == witness.Notify && len(rest) == 1:
		t.notified = append(t.notified, rest[0])
		return nil
	case kind == witness.Fenced && len(rest) == 1:
		return nil
	case kind == witness.Enter && len(rest) == 0:
		t.enters++
	case kind == witness.By && len(rest) == 1:
		t.read.by = rest[0]
	case kind == witness.Count && len(rest) == 1:
		t.hasRead = true
		if t.read.n, err = strconv.Atoi(rest[0]); t.read.n == 0 && t.read.by == nobody {
			t.read = count{}
		}
	case kind == witness.Wrote && len(rest) == 1:
		t.wrote, err = strconv.Atoi(rest[0])
	case kind == witness.Beat && len(rest) == 0:
	case kind == witness.Leave && len(rest) == 0:
		t.leaves++
	default:
		return fmt.Errorf("%s %q is not known", kind, rest)
	}
	if t.first == 0 || at < t.first {
		t.first = at
	}
	t.last, t.spoke = max(t.last, at), max(t.spoke, at)
	return err
}

// read decides by the witness and reconciles it with the ledger.
func (f *TortureFigures) read(l *ledger, path string) error {
	said, err := readWitness(path)
	if err != nil {
		return err
	}
	all := said.runs
	f.Fenced, f.Lines, f.Outcomes = said.fenced, said.lines, map[string]int{}
	runs := map[string]claims.Run{}
	for _, of := range l.runs {
		for _, run := range of {
			runs[run.RunID] = run
			f.Outcomes[string(run.Outcome)]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		f.reconcile(all[id], runs)
	}
	for id, run := range runs {
		t := all[id]
		switch {
		case run.Outcome != claims.OK:
		case t == nil || t.enters != 1 || t.leaves != 1:
			f.Lost = append(f.Lost, fmt.Sprintf("run %s of %s is ok, and its guest did not enter and leave once: %+v", id, run.Job, t))
		case id[len(id)-1] < guest.WitnessFails:
			f.Lost = append(f.Lost, fmt.Sprintf("run %s of %s is ok, and its guest has failed", id, run.Job))
		}
	}
	f.states(l, all, said.removals)
	f.overlaps(all, runs)
	f.taken(all, runs, time.Unix(0, time.Now().UnixNano()-witness.BootClock()))
	f.starts(all, runs)
	for _, o := range l.open { // every owner has ended, the last one in order
		f.OpenOfDead = append(f.OpenOfDead, fmt.Sprintf("run %s of %s, owner %s, claimed at %s", o.RunID, o.Job, o.Owner, o.ClaimedAt.Format(time.RFC3339Nano)))
	}
	f.Findings = findingTexts(l.findings)
	if err := f.slots(l); err != nil {
		return err
	}
	f.Failures = f.judge()
	return nil
}

// reconcile compares what was acknowledged about a run with the ledger.
func (f *TortureFigures) reconcile(t *testimony, runs map[string]claims.Run) {
	run, known := runs[t.run]
	lost := func(format string, args ...any) {
		f.Lost = append(f.Lost, fmt.Sprintf("run %s: ", t.run)+fmt.Sprintf(format, args...))
	}
	if !known {
		lost("it is witnessed and not in the ledger: %+v", t)
		return
	}
	if t.enters > 0 {
		f.Entered++
	}
	if t.claimed {
		f.Claims++
		if run.Slot.ID != t.slot || strconv.Itoa(run.Attempt) != t.attempt {
			lost("it was claimed as attempt %s of %s, and the ledger has attempt %d of %s", t.attempt, t.slot, run.Attempt, run.Slot.ID)
		}
	}
	for _, outcome := range t.committed {
		f.Commits++
		if string(run.Outcome) != outcome {
			lost("it was acknowledged as %s, and the ledger has %s", outcome, run.Outcome)
		}
	}
	for _, outcome := range t.notified {
		if string(run.Outcome) != outcome {
			lost("it was announced as %s, and the ledger has %s", outcome, run.Outcome)
		}
	}
}

// overlaps finds guests of one job of which one spoke between the first and the last word of another.
func (f *TortureFigures) overlaps(all map[string]*testimony, runs map[string]claims.Run) {
	byJob := map[string][]*testimony{}
	for _, t := range all {
		if t.first != 0 {
			byJob[runs[t.run].Job] = append(byJob[runs[t.run].Job], t)
		}
	}
	for job, of := range byJob {
		slices.SortFunc(of, func(a, b *testimony) int { return cmp.Compare(a.first, b.first) })
		for i := 1; i < len(of); i++ {
			if before := of[i-1]; of[i].first <= before.last {
				f.Overlaps = append(f.Overlaps, fmt.Sprintf("job %s: run %s entered %s before the last word of run %s", job, of[i].run,
					time.Duration(before.last-of[i].first), before.run))
			}
			of[i].last = max(of[i].last, of[i-1].last)
		}
	}
}

// taken finds runs that were closed although their owner lived and their deadline had not passed: their guests spoke afterwards.
// boot is the wall clock's time when the boot clock was zero.
func (f *TortureFigures) taken(all map[string]*testimony, runs map[string]claims.Run, boot time.Time) {
	const slack = 20 * time.Millisecond // between the two clocks
	for _, t := range all {
		run := runs[t.run]
		spoke := boot.Add(time.Duration(t.spoke))
		if t.spoke != 0 && run.Outcome != claims.Running && run.EndedAt.Before(run.Deadline) && spoke.After(run.EndedAt.Add(slack)) {
			f.Taken = append(f.Taken, fmt.Sprintf("run %s of %s was %s %s before a word of its guest: %s", t.run, run.Job, run.Outcome, spoke.Sub(run.EndedAt), run.Reason))
		}
	}
}

// starts finds slots of which one attempt was started twice.
func (f *TortureFigures) starts(all map[string]*testimony, runs map[string]claims.Run) {
	entered := map[string]string{}
	for _, t := range all {
		if t.enters == 0 {
			continue
		}
		attempt := fmt.Sprintf("attempt %d of %s", runs[t.run].Attempt, runs[t.run].Slot.ID)
		if other := entered[attempt]; other != "" || t.enters > 1 {
			f.Double = append(f.Double, fmt.Sprintf("%s was started %d times by run %s, and by run %q", attempt, t.enters, t.run, other))
		}
		entered[attempt] = t.run
	}
}

// slots compares the schedule with the records: each due time has one, with a verdict, and no more attempts than allowed.
func (f *TortureFigures) slots(l *ledger) error {
	k := &KilledFigures{}
	for _, job := range l.jobs {
		fates, err := l.fates(job, window{first: job.Anchor.Add(time.Millisecond), last: job.Next.Add(-time.Millisecond)})
		if err != nil {
			return err
		}
		for _, one := range fates {
			k.slot(job.Name, one)
		}
		for _, row := range l.slots[job.Name] {
			if row.Verdict == "" || row.Verdict == claims.Verdict(claims.Running) {
				k.NoVerdict = append(k.NoVerdict, row.Slot.ID)
			}
		}
	}
	f.Slots, f.NoVerdict, f.Double = k.Slots, append(f.NoVerdict, k.NoVerdict...), append(f.Double, k.Double...)
	return nil
}

func (f *TortureFigures) judge() []string {
	var failed []string
	if orphans := f.Outcomes[string(claims.Orphaned)]; f.Entered == 0 || f.Read == 0 || f.Commits == 0 || orphans == 0 {
		failed = append(failed, fmt.Sprintf("%d guests entered, %d have read their state, %d commits and %d orphans: nothing was measured", f.Entered, f.Read,
			f.Commits, orphans))
	}
	for _, part := range []struct {
		what string
		of   []string
	}{
		{"overlaps", f.Overlaps}, {"double slots", f.Double}, {"lost acknowledgements", f.Lost},
		{"live runs recovered", f.Taken}, {"states lost", f.StateLost}, {"states leaked", f.StateLeak}, {"slots without a verdict", f.NoVerdict},
		{"open claims of dead owners", f.OpenOfDead}, {"audit findings", f.Findings},
	} {
		if n := len(part.of); n > 0 {
			failed = append(failed, fmt.Sprintf("%d %s, the first: %s", n, part.what, part.of[0]))
		}
	}
	return failed
}

// Failed implements Figures.
func (f *TortureFigures) Failed() []string { return f.Failures }

func (f *TortureFigures) rows() [][]string {
	rows := [][]string{{"torture", fmt.Sprintf("%d hosts, %d kills, seed %d, %d s", f.Hosts, f.Kills, f.Seed, f.Took/1000)}}
	rows = append(rows, f.Machine.rows()...)
	if f.Folder != "" {
		rows = append(rows, []string{"folder", f.Folder})
	}
	rows = append(rows, []string{}, []string{"kills"})
	for _, at := range slices.Sorted(maps.Keys(f.At)) {
		rows = append(rows, []string{"    " + at, number(f.At[at])})
	}
	rows = append(rows,
		[]string{"stopped and continued", number(f.Stops)},
		[]string{"plugins removed and put back", number(f.Removals)},
		[]string{"lines of the witness", number(f.Lines)},
		[]string{"guests that entered", number(f.Entered)},
		[]string{"guests that read their state", number(f.Read)},
		[]string{"claims acknowledged", number(f.Claims)},
		[]string{"commits acknowledged", number(f.Commits)},
		[]string{"commits refused", number(f.Fenced)},
		[]string{"runs that ended"},
	)
	for _, outcome := range slices.Sorted(maps.Keys(f.Outcomes)) {
		rows = append(rows, []string{"    " + outcome, number(f.Outcomes[outcome])})
	}
	return append(rows,
		[]string{"slots due", number(f.Slots.Due)},
		[]string{"overlaps", number(len(f.Overlaps))},
		[]string{"double slots", number(len(f.Double))},
		[]string{"lost acknowledgements", number(len(f.Lost))},
		[]string{"live runs recovered", number(len(f.Taken))},
		[]string{"states lost", number(len(f.StateLost))},
		[]string{"states leaked", number(len(f.StateLeak))},
		[]string{"slots without a verdict", number(len(f.NoVerdict))},
		[]string{"open claims of dead owners", number(len(f.OpenOfDead))},
		[]string{"audit findings", number(len(f.Findings))},
	)
}
