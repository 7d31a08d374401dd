package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// LatenessBound is the 99th percentile of start lateness that a crowd with a bad neighbour must stay below.
const LatenessBound = 250 * time.Millisecond

// CrowdOptions says how large the crowd is.
type CrowdOptions struct {
	Jobs    int           // due each second, three of which misbehave; at least 4
	For     time.Duration // measured, in whole seconds
	Timeout time.Duration // of the three that misbehave
}

// CrowdFigures is what came of a crowd.
type CrowdFigures struct {
	Machine    Machine   `json:"machine"`
	Jobs       int       `json:"jobs"`
	Seconds    int       `json:"seconds"`
	Healthy    Tally     `json:"healthy"`
	Hostile    Tally     `json:"hostile"`
	Start      Quantiles `json:"start_lateness"` // healthy: from the slot's time to the guest's start
	End        Quantiles `json:"end_lateness"`   // healthy: from the slot's time to the guest's end
	Overshoot  Quantiles `json:"overshoot"`      // hostile: how long past its deadline a guest was gone
	Overlaps   []string  `json:"overlaps"`
	Findings   []string  `json:"findings"`
	Troubles   []string  `json:"troubles"` // ticks and commits that the host had to try again
	OpenClaims int       `json:"open_claims"`
	Failures   []string  `json:"failures"`
}

// misbehaving are the guests that spoil a crowd, by job name.
func misbehaving() map[string][]byte {
	return map[string][]byte{"bad-flood": guest.Flood(), "bad-sleep": guest.Sleep(time.Hour), "bad-spin": guest.Spin()}
}

func crowdJobs(o CrowdOptions) []host.Job {
	var jobs []host.Job
	for name, wasm := range misbehaving() {
		jobs = append(jobs, host.Job{Name: name, Module: host.Bytes(wasm), Schedule: everySecond, Timeout: o.Timeout})
	}
	hello := host.Bytes(guest.Hello())
	for i := range o.Jobs - len(jobs) {
		jobs = append(jobs, host.Job{Name: fmt.Sprintf("good-%03d", i), Module: hello, Schedule: everySecond})
	}
	return jobs
}

// Crowd runs a host in this process with jobs that are all due each second, three of which spin, write without end, and sleep past
// their deadline. Slots before all modules are compiled, and those of the second after, are left out of the figures but not of the
// audit. The error is that of a measurement that could not be made.
func Crowd(ctx context.Context, o CrowdOptions) (*CrowdFigures, error) {
	if err := checkSize(o.Jobs, 4, o.For); err != nil {
		return nil, fmt.Errorf("crowd: %w", err)
	}
	dir, remove, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("crowd: %w", err)
	}
	defer remove()
	store, err := dir.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("crowd: %w", err)
	}
	defer func() { _ = store.Close() }()

	f := &CrowdFigures{Machine: newMachine(), Jobs: o.Jobs, Seconds: int(o.For / time.Second)}
	cfg := dir.config(store, crowdJobs(o))
	cfg.DrainTimeout = 3 * o.Timeout
	r, err := launch(cfg)
	if err != nil {
		return nil, fmt.Errorf("crowd: %w", err)
	}
	err = r.ready(ctx, o.Jobs)
	w := nextWindow(time.Now(), o.For)
	if err == nil {
		err = w.pass(ctx)
	}
	stopped := time.Now()
	troubles, ended := r.wait()
	if err = errors.Join(err, ended); err != nil {
		return nil, fmt.Errorf("crowd: %w", err)
	}
	f.Machine.LoadAfter, f.Troubles = loadAverage(), troubles
	l, err := readLedger(ctx, store, stopped)
	if err == nil {
		err = f.read(l, w, o.Timeout)
	}
	if err != nil {
		return nil, fmt.Errorf("crowd: read the ledger: %w", err)
	}
	return f, nil
}

// read takes the figures out of the ledger.
func (f *CrowdFigures) read(l *ledger, w window, timeout time.Duration) error {
	var start, end, over []time.Duration
	for _, job := range l.jobs {
		fates, err := l.fates(job, w)
		if err != nil {
			return err
		}
		bad := strings.HasPrefix(job.Name, "bad-")
		for _, one := range fates {
			if bad {
				f.Hostile.add(one)
				continue
			}
			f.Healthy.add(one)
			if run, ok := one.started(); ok {
				start = append(start, run.StartedAt.Sub(one.at))
				end = append(end, run.EndedAt.Sub(one.at))
			}
		}
		for _, run := range l.runs[job.Name] {
			if bad && run.Outcome == claims.Timeout {
				over = append(over, run.EndedAt.Sub(run.StartedAt)-timeout)
			}
		}
	}
	f.Start, f.End, f.Overshoot = quantiles(start), quantiles(end), quantiles(over)
	f.Overlaps, f.Findings, f.OpenClaims = l.overlaps(nil), findingTexts(l.findings), len(l.open)
	f.Failures = f.judge()
	return nil
}

func (f *CrowdFigures) judge() []string {
	var failed []string
	if n := f.Healthy.Due - f.Healthy.Started; n > 0 || f.Healthy.Due == 0 {
		failed = append(failed, fmt.Sprintf("%d of %d slots of healthy jobs did not start", n, f.Healthy.Due))
	}
	if n := f.Healthy.Started - f.Healthy.OK; n > 0 {
		failed = append(failed, fmt.Sprintf("%d runs of healthy jobs did not end well", n))
	}
	if bound := LatenessBound.Milliseconds(); f.Start.P99 >= bound {
		failed = append(failed, fmt.Sprintf("the 99th percentile of start lateness is %d ms; the bound is %d ms", f.Start.P99, bound))
	}
	return append(failed, sound(f.Overlaps, f.Findings, f.OpenClaims)...)
}

// Failed implements Figures.
func (f *CrowdFigures) Failed() []string { return f.Failures }

func (f *CrowdFigures) rows() [][]string {
	both := func(name string, of func(Tally) int) []string {
		return []string{name, number(of(f.Healthy)), number(of(f.Hostile))}
	}
	rows := [][]string{
		{"crowd", fmt.Sprintf("%d jobs due each second for %d s, %d of them misbehave", f.Jobs, f.Seconds, len(misbehaving()))},
	}
	rows = append(rows, f.Machine.rows()...)
	rows = append(rows,
		[]string{},
		[]string{"slots", "healthy", "misbehaving"},
		both("  due", func(t Tally) int { return t.Due }),
		both("  started", func(t Tally) int { return t.Started }),
		both("  ended ok", func(t Tally) int { return t.OK }),
		both("  missed", func(t Tally) int { return t.Missed }),
		both("  skipped", func(t Tally) int { return t.Skipped }),
		both("  claimed, not started", func(t Tally) int { return t.NotStarted }),
		both("  without a verdict", func(t Tally) int { return t.NoVerdict }),
	)
	for _, part := range []struct {
		name string
		of   Tally
	}{{"healthy", f.Healthy}, {"misbehaving", f.Hostile}} {
		if reasons := reasonRows(part.of); len(reasons) > 0 {
			rows = append(rows, []string{"  reasons, " + part.name})
			rows = append(rows, reasons...)
		}
	}
	rows = append(rows,
		[]string{},
		[]string{"start lateness, healthy", f.Start.String()},
		[]string{"end lateness, healthy", f.End.String()},
		[]string{"past the deadline, misbehaving", f.Overshoot.String()},
		[]string{"overlaps", number(len(f.Overlaps))},
		[]string{"audit findings", number(len(f.Findings))},
	)
	return slices.Concat(rows, troubleRows("ticks and commits tried again", f.Troubles))
}
