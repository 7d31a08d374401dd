package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// TwoHostsOptions says how much two hosts share.
type TwoHostsOptions struct {
	Jobs int           // due each second
	For  time.Duration // measured, in whole seconds
}

// TwoHostsFigures is what came of two hosts on one folder.
type TwoHostsFigures struct {
	Machine    Machine        `json:"machine"`
	Jobs       int            `json:"jobs"`
	Seconds    int            `json:"seconds"`
	Slots      Tally          `json:"slots"`
	Double     []string       `json:"double"` // slots with more than one run, or more than one record
	Share      map[string]int `json:"share"`  // runs by host
	Start      Quantiles      `json:"start_lateness"`
	Overlaps   []string       `json:"overlaps"`
	Findings   []string       `json:"findings"`
	Troubles   []string       `json:"troubles"`
	OpenClaims int            `json:"open_claims"`
	Failures   []string       `json:"failures"`
}

func greeters(n int) []host.Job {
	hello := host.Bytes(guest.Hello())
	jobs := make([]host.Job, n)
	for i := range jobs {
		jobs[i] = host.Job{Name: fmt.Sprintf("greet-%03d", i), Module: hello, Schedule: everySecond}
	}
	return jobs
}

// TwoHosts runs two host processes with the same jobs on one state folder, and reads from the ledger that each slot had exactly one
// run. The process must call [Work] first thing, since it is started again as the hosts. The error is that of a measurement that
// could not be made.
func TwoHosts(ctx context.Context, o TwoHostsOptions) (*TwoHostsFigures, error) {
	if err := checkSize(o.Jobs, 1, o.For); err != nil {
		return nil, fmt.Errorf("twohosts: %w", err)
	}
	dir, remove, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("twohosts: %w", err)
	}
	defer remove()
	f := &TwoHostsFigures{Machine: newMachine(), Jobs: o.Jobs, Seconds: int(o.For / time.Second), Share: map[string]int{}}
	w, stopped, err := f.race(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("twohosts: %w", err)
	}
	f.Machine.LoadAfter = loadAverage()
	store, err := dir.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("twohosts: %w", err)
	}
	defer func() { _ = store.Close() }()
	l, err := readLedger(ctx, store, stopped)
	if err == nil {
		err = f.read(l, w)
	}
	if err != nil {
		return nil, fmt.Errorf("twohosts: read the ledger: %w", err)
	}
	return f, nil
}

// race lets both hosts work until the window has passed.
func (f *TwoHostsFigures) race(ctx context.Context, dir folder, o TwoHostsOptions) (w window, stopped time.Time, err error) {
	var hosts []*process
	for _, name := range []string{"host-a", "host-b"} {
		var p *process
		if p, err = spawn(order{Root: dir.root, Instance: name, Crew: "greeters", Jobs: o.Jobs}); err != nil {
			break
		}
		f.Share[name] = 0
		hosts = append(hosts, p)
	}
	for _, p := range hosts {
		if err == nil {
			err = p.awaitReady(ctx)
		}
	}
	w = nextWindow(time.Now(), o.For)
	if err == nil {
		err = w.pass(ctx)
	}
	stopped = time.Now()
	for _, p := range hosts {
		troubles, ended := p.end()
		f.Troubles = append(f.Troubles, troubles...)
		err = errors.Join(err, ended)
	}
	return w, stopped, err
}

func (f *TwoHostsFigures) read(l *ledger, w window) error {
	var start []time.Duration
	for _, job := range l.jobs {
		fates, err := l.fates(job, w)
		if err != nil {
			return err
		}
		for _, one := range fates {
			f.Slots.add(one)
			if len(one.runs) > 1 || len(one.rows) > 1 {
				f.Double = append(f.Double, fmt.Sprintf("%s at %s: %d runs, %d records", job.Name, one.at.Format(time.TimeOnly),
					len(one.runs), len(one.rows)))
			}
			for _, run := range one.runs {
				f.Share[run.Owner]++
			}
			if run, ok := one.started(); ok {
				start = append(start, run.StartedAt.Sub(one.at))
			}
		}
	}
	f.Start = quantiles(start)
	f.Overlaps, f.Findings, f.OpenClaims = l.overlaps(nil), findingTexts(l.findings), len(l.open)
	f.Failures = f.judge()
	return nil
}

func (f *TwoHostsFigures) judge() []string {
	var failed []string
	if n := f.Slots.Due - f.Slots.Started; n > 0 || f.Slots.Due == 0 {
		failed = append(failed, fmt.Sprintf("%d of %d slots had no run", n, f.Slots.Due))
	}
	if n := len(f.Double); n > 0 {
		failed = append(failed, fmt.Sprintf("%d slots are double, the first: %s", n, f.Double[0]))
	}
	return append(failed, sound(f.Overlaps, f.Findings, f.OpenClaims)...)
}

// Failed implements Figures.
func (f *TwoHostsFigures) Failed() []string { return f.Failures }

func (f *TwoHostsFigures) rows() [][]string {
	rows := [][]string{{"twohosts", fmt.Sprintf("%d jobs due each second for %d s, two processes on one folder", f.Jobs, f.Seconds)}}
	rows = append(rows, f.Machine.rows()...)
	rows = append(rows,
		[]string{},
		[]string{"slots due", number(f.Slots.Due)},
		[]string{"  with a run", number(f.Slots.Started)},
		[]string{"  double", number(len(f.Double))},
		[]string{"  missed", number(f.Slots.Missed)},
		[]string{"  skipped", number(f.Slots.Skipped)},
		[]string{"  claimed, not started", number(f.Slots.NotStarted)},
		[]string{"  without a verdict", number(f.Slots.NoVerdict)},
	)
	rows = append(rows, reasonRows(f.Slots)...)
	total := 0
	for _, n := range f.Share {
		total += n
	}
	for _, name := range slices.Sorted(maps.Keys(f.Share)) {
		rows = append(rows, []string{"share of " + name, fmt.Sprintf("%d runs, %.0f %%", f.Share[name],
			100*float64(f.Share[name])/float64(max(total, 1)))})
	}
	rows = append(rows,
		[]string{"start lateness", f.Start.String()},
		[]string{"overlaps", number(len(f.Overlaps))},
		[]string{"audit findings", number(len(f.Findings))},
	)
	return slices.Concat(rows, troubleRows("ticks and commits tried again", f.Troubles))
}
