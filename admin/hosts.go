package admin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
)

// pingTimeout is how long a host may take to answer. One that runs answers within milliseconds.
const pingTimeout = 500 * time.Millisecond

// onePrefix begins the instance id of an owner that is no host: a process that makes one run.
const onePrefix = "run-"

// OneRunInstance turns a new instance id, as host.NewInstance makes it, into one that Hosts does not take for a host.
func OneRunInstance(id string) string { return onePrefix + strings.TrimPrefix(id, "host-") }

// Hosts finds the hosts that live, newest first. Each is asked on its socket; only one that does not answer is judged by its lock
// and its fingerprint, because the look at a lock takes it for a moment. One of which nothing is known counts as living, with the
// reason. last is when the latest host that does not live was seen; it is zero when there is none on record.
func Hosts(ctx context.Context, store claims.Store) (hosts []HostInfo, last time.Time, err error) {
	return hostsBut(ctx, store, "")
}

// hostsBut is Hosts in the host of that instance itself, which needs no proof.
func hostsBut(ctx context.Context, store claims.Store, self string) (hosts []HostInfo, last time.Time, err error) {
	owners, err := store.Owners(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	open, err := store.Open(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	running := map[string]int{}
	for _, o := range open {
		running[o.Owner]++
	}
	found := make([]*HostInfo, len(owners))
	var wg sync.WaitGroup
	for i, o := range owners {
		if strings.HasPrefix(o.ID, onePrefix) || !o.Left.IsZero() {
			continue
		}
		wg.Go(func() { found[i] = look(ctx, store, o, self) })
	}
	wg.Wait()
	for i, o := range owners {
		if h := found[i]; h != nil {
			h.Running = running[o.ID]
			hosts = append(hosts, *h)
		} else if !strings.HasPrefix(o.ID, onePrefix) {
			last = latest(last, o.Left, o.Seen)
		}
	}
	slices.SortFunc(hosts, func(a, b HostInfo) int { return b.StartedAt.Compare(a.StartedAt) })
	if len(hosts) > 0 {
		return hosts, time.Time{}, nil
	}
	if last.IsZero() {
		last, err = lastRun(ctx, store)
	}
	return nil, last, err
}

// lastRun is the end of the latest run that a host made, where no record of a host is left.
func lastRun(ctx context.Context, store claims.Store) (time.Time, error) {
	runs, err := store.Runs(ctx, claims.RunQuery{})
	for _, r := range runs {
		if !strings.HasPrefix(r.Owner, onePrefix) {
			return r.EndedAt, err
		}
	}
	return time.Time{}, err
}

// look is what is known of an owner; nil: it is dead.
func look(ctx context.Context, store claims.Store, o claims.Owner, self string) *HostInfo {
	h := &HostInfo{
		Instance: o.ID, PID: o.PID, Machine: o.Host, Version: o.Version, Socket: word(o.Socket), StartedAt: o.Started.UTC(), SeenAt: o.Seen.UTC(),
	}
	if o.ID == self {
		h.Answers = true
		return h
	}
	if o.Socket != "" {
		asking, cancel := context.WithTimeout(ctx, pingTimeout)
		id, err := NewClient(o.Socket).Ping(asking)
		cancel()
		if h.Answers = err == nil && id == o.ID; h.Answers {
			return h
		}
	}
	v, why := alive(ctx, store, o)
	if v == fingerprint.Dead {
		return nil
	}
	h.Reason = word(why)
	if v == fingerprint.Unknown {
		h.Reason = new("it is not known whether it lives: " + why)
	}
	return h
}

// alive judges an owner and gives its lock back at once.
func alive(ctx context.Context, store claims.Store, o claims.Owner) (fingerprint.Verdict, string) {
	p, err := store.Probe(ctx, o.ID)
	if err != nil {
		return fingerprint.Unknown, err.Error()
	}
	p.Release()
	return claims.JudgeOwner(o, p)
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
