package claimstest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
)

// edit registers a job, also where the owner's clock is behind the job's slots.
func (p *player) edit() {
	periods := []string{"every 5s", "every 5s", "every 20s", "every 1m0s", ""}
	d := def(p.name(), periods[p.rng.IntN(len(periods))], p.now)
	d.Definition = fmt.Sprintf("def-%d", p.rng.IntN(2))
	d.Repeat = []int64{0, 0, 2, 10}[p.rng.IntN(4)]
	if j, err := p.model.Job(p.ctx, d.Name); err == nil && p.rng.IntN(2) == 0 { // nothing new, mostly
		d.Schedule, d.First = j.Schedule, next(claims.Job{Schedule: j.Schedule, Anchor: p.now}, p.now)
		d.NotBefore, d.NotAfter = j.NotBefore, j.NotAfter
	} else if p.rng.IntN(8) == 0 {
		d.NotAfter = p.now.Add(time.Hour)
	}
	set := []string{source, source, "program"}[p.rng.IntN(3)]
	for range 1 + p.rng.IntN(2) {
		got, err := p.store().Put(p.ctx, p.now, set, []claims.Put{d})
		want, merr := p.model.Put(p.ctx, p.now, set, []claims.Put{d})
		p.must(err)
		p.same("put of "+d.Name, jobLine(got[0]), jobLine(want[0]), err, merr)
	}
}

func (p *player) drop() {
	names := []string{p.name(), p.name()}
	err := p.store().Remove(p.ctx, p.now, source, names)
	p.same(fmt.Sprint("remove of ", names), "", "", err, p.model.Remove(p.ctx, p.now, source, names))
}

func (p *player) ask(r claims.Request) {
	p.Helper()
	err := p.store().Request(p.ctx, p.now, r)
	p.same(fmt.Sprintf("%s of %s%s", r.Kind, r.Job, r.RunID), "", "", err, p.model.Request(p.ctx, p.now, r))
}

func (p *player) operate() {
	p.ask(claims.Request{Kind: []claims.RequestKind{claims.Pause, claims.Resume, claims.Resume}[p.rng.IntN(3)], Job: p.name(), Reason: "a reason"})
}

func (p *player) triggerOne() {
	r := claims.Request{Kind: claims.Trigger, Job: p.name(), ID: p.id()[:8], By: "ann", Input: []byte(`{"n":` + fmt.Sprint(p.rng.IntN(100)) + `}`)}
	if p.rng.IntN(4) == 0 {
		r = claims.Request{Kind: claims.Start, Job: r.Job, ID: p.id()[:8], By: "host", Reason: []string{"", "", "broken"}[p.rng.IntN(3)]}
	}
	for range 1 + p.rng.IntN(2) {
		p.ask(r)
	}
}

// fillSome asks for the runs of a few minutes that have passed, and now and then takes back what waits.
func (p *player) fillSome() {
	r := claims.Request{Kind: claims.Fill, Job: p.name(), ID: p.id()[:8], By: "ann"}
	for i := range 1 + p.rng.IntN(3) {
		r.Times = append(r.Times, p.now.Truncate(time.Minute).Add(time.Duration(i-5)*time.Minute))
	}
	for range 1 + p.rng.IntN(2) {
		p.ask(r)
	}
	if p.rng.IntN(4) == 0 {
		p.ask(claims.Request{Kind: claims.Unfill, Job: r.Job, Reason: "not wanted"})
	}
}

// skipOne marks the slot that is next, or takes the mark back.
func (p *player) skipOne() {
	r := claims.Request{Kind: []claims.RequestKind{claims.Skip, claims.Skip, claims.Unskip}[p.rng.IntN(3)], Job: p.name(), Reason: "ann wants it"}
	if j, err := p.model.Job(p.ctx, r.Job); err == nil {
		r.At = j.Next
	}
	p.ask(r)
}

func (p *player) cancelOne() {
	r := claims.Request{Kind: claims.Cancel, RunID: p.id(), By: "ann"}
	if n := len(p.flying); n > 0 {
		r.RunID = p.flying[p.rng.IntN(n)].RunID
	}
	p.ask(r)
	for _, owner := range p.owners {
		got, err := p.store().Changes(p.ctx, owner, 0)
		p.must(err)
		want, err := p.model.Changes(p.ctx, owner, 0)
		p.must(err)
		if c, m := openIDs(got.Cancels), openIDs(want.Cancels); !slices.Equal(c, m) {
			p.Errorf("cancels of %s: engine %v, model %v", owner, c, m)
		}
		if c, m := openIDs(got.Foreign), openIDs(want.Foreign); !slices.Equal(c, m) {
			p.Errorf("claims foreign to %s: engine %v, model %v", owner, c, m)
		}
	}
}

func openIDs(open []claims.Open) []string {
	ids := map[string]bool{}
	for _, o := range open {
		ids[o.RunID] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// pruneSome prunes jobs with one lane: their runs end in the order of their claims, which is the order that all agree on.
func (p *player) pruneSome() {
	name := p.name()
	if lanesOf(name) > 1 {
		return
	}
	limits := []claims.Retain{{Job: name, Runs: int64(1 + p.rng.IntN(8))}}
	got, err := p.store().Prune(p.ctx, p.now, limits)
	want, merr := p.model.Prune(p.ctx, p.now, limits)
	p.same("prune of "+name, fmt.Sprint(got), fmt.Sprint(want), err, merr)
}
