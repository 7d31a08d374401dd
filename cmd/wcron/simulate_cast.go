package main

import (
	"context"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/host"
)

// cast knows how the guest of each job is played.
type cast struct {
	seed  uint64
	roles map[string]role
}

// role is how the guest of a job is played.
type role struct {
	took   time.Duration
	source string  // where that is from, for people
	fail   float64 // the share of attempts that exit with 1
}

// cast reads how long runs take, and how many fail.
func (c *simulateCmd) cast(ctx context.Context, a *app, f *config.File, jobs []host.Job) (*cast, error) {
	out := &cast{seed: c.Seed, roles: map[string]role{}}
	seen, err := c.recorded(ctx, a, f, jobs)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		out.roles[j.Name] = role{took: defaultDuration, source: "default"}
	}
	for _, text := range c.Duration { // that of all jobs first
		if !strings.Contains(text, "=") {
			if err := out.give("--duration", text, setDuration); err != nil {
				return nil, err
			}
		}
	}
	for name, d := range seen {
		r := out.roles[name]
		r.took, r.source = d, c.History
		out.roles[name] = r
	}
	for _, text := range c.Duration {
		if strings.Contains(text, "=") {
			if err := out.give("--duration", text, setDuration); err != nil {
				return nil, err
			}
		}
	}
	for _, all := range []bool{true, false} {
		for _, text := range c.Fail {
			if strings.Contains(text, "=") == all {
				continue
			}
			if err := out.give("--fail", text, setRate); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// give sets something of one job, or of all of them.
func (c *cast) give(flag, text string, set func(*role, string) bool) error {
	name, value, one := strings.Cut(text, "=")
	if !one {
		value = text
	}
	if _, known := c.roles[name]; one && !known {
		return usage("%s %s: job %q is not simulated", flag, text, name)
	}
	for _, job := range slices.Sorted(maps.Keys(c.roles)) {
		if one && job != name {
			continue
		}
		r := c.roles[job]
		if !set(&r, value) {
			if flag == "--fail" {
				return usage("%s %s: write a rate from 0%% to 100%%, for example 10%% or %s=10%%", flag, text, job)
			}
			return usage("%s %s: write a duration such as 5s, or %s=10m", flag, text, job)
		}
		c.roles[job] = r
	}
	return nil
}

func setDuration(r *role, text string) bool {
	d, err := time.ParseDuration(text)
	r.took, r.source = d, "given"
	return err == nil && d >= 0
}

func setRate(r *role, text string) bool {
	digits, percent := strings.CutSuffix(text, "%")
	rate, err := strconv.ParseFloat(digits, 64)
	r.fail = rate / 100
	return percent && err == nil && rate >= 0 && rate <= 100
}

// recorded reads from the ledger how long the jobs took that ran to an end of their own. Where no host has been there is nothing.
func (c *simulateCmd) recorded(ctx context.Context, a *app, f *config.File, jobs []host.Job) (_ map[string]time.Duration, err error) {
	if c.History == "none" || !hasLedger(f) {
		return nil, nil
	}
	defer a.slow("waiting for the ledger in " + f.State)()
	store, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: f.State, LockWait: storePatience})
	if err != nil {
		return nil, unreachable(err)
	}
	defer func() {
		if closing := store.Close(); err == nil && closing != nil {
			err = unreachable(closing)
		}
	}()
	seen := map[string]time.Duration{}
	for _, j := range jobs {
		runs, err := store.Runs(ctx, claims.RunQuery{Job: j.Name, Limit: 1000})
		if err != nil {
			return nil, unreachable(err)
		}
		var took []time.Duration
		for _, r := range runs {
			if (r.Outcome == claims.OK || r.Outcome == claims.Failed) && !r.StartedAt.IsZero() {
				took = append(took, r.EndedAt.Sub(r.StartedAt))
			}
		}
		if len(took) > 0 {
			seen[j.Name] = pick(took, c.History)
		}
	}
	return seen, nil
}

// hasLedger tells whether a host has been here.
func hasLedger(f *config.File) bool {
	_, err := os.Stat(filepath.Join(placeOf(f).state, "ledger.db"))
	return err == nil
}

// pick is one of several durations.
func pick(took []time.Duration, which string) time.Duration {
	slices.Sort(took)
	share := map[string]int{"median": 50, "p95": 95, "max": 100}[which]
	return max(took[max((len(took)*share+99)/100-1, 0)], 0)
}

// play is what a guest comes to. Whether it fails depends on nothing but the seed and its slot, so that one job more changes nothing
// for the others.
func (c *cast) play(r host.SimulatedRun) host.SimulatedEnd {
	role := c.roles[r.Job]
	end := host.SimulatedEnd{Took: role.took}
	if role.fail > 0 && c.chance(r) < role.fail {
		end.ExitCode = 1
	}
	return end
}

func (c *cast) chance(r host.SimulatedRun) float64 {
	h := fnv.New64a()
	var b []byte
	b = strconv.AppendUint(b, c.seed, 10)
	b = append(append(b, ' '), r.Job...)
	b = strconv.AppendInt(append(b, ' '), r.At.Unix(), 10)
	b = strconv.AppendInt(append(b, ' '), int64(r.Attempt), 10)
	_, _ = h.Write(b)
	x := h.Sum64() // its low bits are good, its high ones are not: mix them
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
