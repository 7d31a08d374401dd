package claimstest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// playModel makes random calls of an engine and of the model alike, in the name of several hosts with clocks of their own, which are
// set forward and back; hosts crash, are stopped and continued, come back late and are recovered. After each step every answer, all
// that the two hold, and an audit of the engine must be as they should. Histories are short, so that this stays cheap: a new store
// takes over after a hundred steps.
func playModel(t *testing.T, h Harness) {
	rng := random(t)
	done, answers := map[string]int{}, map[string]int{}
	n := steps()
	for left := n; left > 0 && !t.Failed(); left -= modelSteps {
		t.Run(fmt.Sprintf("from %d", n-left), func(t *testing.T) { newPlayer(t, h, rng, answers).play(min(left, modelSteps), done) })
	}
	t.Logf("%d steps: %v; answers %v", n, done, answers)
}

// modelSteps is the length of one history.
const modelSteps = 100

func newPlayer(t *testing.T, h Harness, rng *rand.Rand, answers map[string]int) *player {
	p := &player{world: newWorld(t, h), model: NewModel(), rng: rng, answers: answers, ahead: map[string]time.Duration{}}
	p.stores = []claims.Store{p.s}
	if h.Again != nil {
		p.stores = append(p.stores, p.again())
	}
	p.time = p.now
	for range 2 {
		p.restart()
	}
	return p
}

// play makes n steps, and settles what is left open then.
func (p *player) play(n int, done map[string]int) {
	moves := p.moves()
	total := 0
	for _, m := range moves {
		total += m.weight
	}
	for i := range n {
		p.turn()
		at := p.rng.IntN(total)
		for _, m := range moves {
			if at -= m.weight; at < 0 {
				m.play()
				done[m.name]++
				break
			}
		}
		p.compare()
		if p.Failed() {
			p.Fatalf("after step %d of %d: %v", i, n, done)
		}
	}
	p.settle()
	p.audit()
}

type move struct {
	name   string
	weight int
	play   func()
}

type player struct {
	*world
	stores  []claims.Store // of the engine: each call goes to one of them
	model   *Model
	rng     *rand.Rand
	time    time.Time                // that really is
	ahead   map[string]time.Duration // by owner: its clock
	owners  []string
	acts    string // the owner whose turn it is
	n       int
	flying  []claims.Final // what the owners remember of their claims
	stopped []claims.Final // of owners that are stopped, and that may be continued
	lost    []claims.Token // claims whose owner has crashed, or looks as if it had
	past    []claims.Final // results that were committed or refused once
	answers map[string]int
}

func (p *player) moves() []move {
	return []move{
		{"claim", 30, p.claimDue}, {"work", 15, p.claimPending}, {"finish", 30, p.finishSome}, {"late", 4, p.late}, {"recover", 8, p.recoverSome},
		{"crash", 1, p.restart}, {"put", 6, p.edit}, {"remove", 2, p.drop}, {"pause", 4, p.operate}, {"trigger", 8, p.triggerOne},
		{"backfill", 3, p.fillSome}, {"skip", 4, p.skipOne},
		{"cancel", 3, p.cancelOne}, {"prune", 2, p.pruneSome}, {"stop", 2, p.stop}, {"continue", 3, p.goOn}, {"clock", 4, p.setClock},
	}
}

func (p *player) store() claims.Store { return p.stores[p.rng.IntN(len(p.stores))] }
func (p *player) name() string        { return fmt.Sprintf("job-%d", p.rng.IntN(6)) }

// turn lets some time pass, and another owner act by its own clock.
func (p *player) turn() {
	p.time = p.time.Add(time.Duration(p.rng.IntN(4000)) * time.Millisecond)
	p.acts = p.owners[p.rng.IntN(len(p.owners))]
	p.now = p.time.Add(p.ahead[p.acts])
}

// setClock sets an owner's clock, or that of the machine which all of them are on.
func (p *player) setClock() {
	d := time.Duration(p.rng.IntN(20_000)) * time.Millisecond
	if p.rng.IntN(4) == 0 {
		d *= 200
	}
	if p.rng.IntN(2) == 0 {
		d = -d
	}
	if p.rng.IntN(2) == 0 {
		p.ahead[p.acts] += d
		return
	}
	for _, id := range p.owners {
		p.ahead[id] += d
	}
}

// stop keeps the owners from going on with what they have claimed. Others take them for dead.
func (p *player) stop() {
	for _, f := range p.flying {
		p.lost = append(p.lost, f.Token)
	}
	p.stopped = append(p.stopped, p.flying...)
	p.flying = nil
}

// goOn lets them go on where they were.
func (p *player) goOn() {
	p.flying = append(p.flying, p.stopped...)
	p.stopped = nil
}

// lanesOf: some jobs may have several runs at once.
func lanesOf(job string) int {
	switch job {
	case "job-0":
		return 2
	case "job-3", "job-4":
		return 3
	}
	return 1
}

// asked gives a claim the policy of its job; now and then a host has another definition of it.
func (p *player) asked(c claims.Claim) claims.Claim {
	c.Lanes, c.IfReplaced = lanesOf(c.Slot.Job), "a newer one came"
	switch c.Slot.Job {
	case "job-1":
		c.Overlap, c.Queue = claims.OverlapQueue, 3
	case "job-2":
		c.Overlap = claims.OverlapReplace
	case "job-3":
		c.Repeat = int64(p.rng.IntN(2) * 10)
	}
	if p.rng.IntN(20) == 0 {
		c.Overlap, c.Queue, c.Lanes = []claims.OverlapPolicy{"", claims.OverlapQueue, claims.OverlapReplace}[p.rng.IntN(3)], 2, 1+p.rng.IntN(c.Lanes)
	}
	return c
}

// same expects the same answer of both, and counts the answers by kind.
func (p *player) same(what, engine, model string, err, merr error) {
	p.Helper()
	if (err == nil) != (merr == nil) || err == nil && engine != model {
		p.Errorf("%s at %s:\nengine %s %v\nmodel  %s %v", what, at(p.now), engine, err, model, merr)
	}
}

func (p *player) compare() {
	p.Helper()
	if diff := difference(dump(p.T, p.model), dump(p.T, p.store())); diff != "" {
		p.Errorf("the model has -, the engine has +\n%s", diff)
	}
	p.audit()
}

// restart is the crash of an owner, who forgets its claims, and the start of others in its place.
func (p *player) restart() {
	if p.n < 40 {
		id := fmt.Sprintf("owner-%d", p.n)
		p.join(p.store(), id)
		p.owners = append(p.owners, id)
	}
	p.n++
	if len(p.owners) > 3 {
		p.owners = p.owners[1:]
	}
	for _, f := range p.flying {
		p.lost = append(p.lost, f.Token)
	}
	p.flying = nil
}

// due makes a claim of a job's due slots as a host would, or one that is wrong in some way.
func (p *player) dueClaim(j claims.Job) claims.Claim {
	c := p.asked(p.item(j))
	c.Slot.At = j.Next
	for t := next(j, c.Slot.At); !t.IsZero() && !t.After(p.now); t = next(j, t) { // the latest runs, the others are missed
		c.Passed = pass(c.Passed, claims.Missed, c.Slot.At)
		c.Slot = claims.ScheduledSlot(j.Name, t)
		c.StandsFor++
	}
	c.Next = next(j, c.Slot.At)
	if !j.Paused && j.SkipAt.Equal(c.Slot.At) && p.rng.IntN(4) > 0 {
		c.Passed = pass(c.Passed, claims.Skipped, c.Slot.At)
		c.RunID, c.StandsFor = "", 0
	}
	if j.Paused {
		for i := range c.Passed {
			c.Passed[i].Verdict, c.Passed[i].Reason = claims.Skipped, "paused"
		}
		c.Passed = pass(c.Passed, claims.Skipped, c.Slot.At)
		c.RunID, c.StandsFor, c.Overlap = "", 0, ""
	}
	if c.Overlap.Waits() && p.rng.IntN(4) == 0 { // the host knows that the job is busy
		c.RunID = ""
	}
	switch p.rng.IntN(15) {
	case 0:
		c.From = c.From.Add(-time.Second)
	case 1:
		c.Slot.Job = "nobody"
	case 2:
		if c.RunID == "" && j.Paused {
			c.RunID = p.id()
			c.Passed = nil
		}
	}
	return c
}

func pass(to []claims.Passed, v claims.Verdict, t time.Time) []claims.Passed {
	if n := len(to); n > 0 && to[n-1].Verdict == v {
		to[n-1].Last = t
		to[n-1].Count++
		return to
	}
	return append(to, claims.Passed{Verdict: v, Reason: string(v), First: t, Last: t, Count: 1})
}

func (p *player) claimDue() {
	jobs, err := p.model.Jobs(p.ctx)
	p.must(err)
	var items []claims.Claim
	for _, j := range jobs {
		due := !j.Next.IsZero() && !j.Next.After(p.now) && j.Disabled == "" && j.Removed.IsZero()
		if due && p.rng.IntN(2) == 0 {
			items = append(items, p.dueClaim(j))
		}
	}
	p.claimBoth(items)
}

func (p *player) claimPending() {
	rows, err := p.model.Pending(p.ctx)
	p.must(err)
	var items []claims.Claim
	for _, row := range rows {
		if p.rng.IntN(2) == 0 {
			c := p.asked(p.pendingItem(row))
			c.StandsFor = row.StandsFor
			if p.rng.IntN(10) == 0 {
				c.Attempt++
			}
			if p.rng.IntN(12) == 0 {
				c.RunID, c.Passed = "", []claims.Passed{{Verdict: claims.Missed, Reason: "too late", First: c.Slot.At, Last: c.Slot.At, Count: 1}}
				if row.Attempt > 1 {
					c.Passed[0].Verdict = claims.Skipped
				}
			}
			items = append(items, c)
		}
	}
	p.claimBoth(items)
}

func (p *player) claimBoth(items []claims.Claim) {
	p.Helper()
	owner := p.acts
	times := 1 + p.rng.IntN(8)/7 // now and then an answer is lost, and the call made again
	for range times {
		got, err := p.store().Claim(p.ctx, p.now, owner, items)
		want, merr := p.model.Claim(p.ctx, p.now, owner, items)
		p.must(merr)
		p.must(err)
		for i, c := range items {
			p.same("claim of "+c.Slot.ID, claimedLine(got[i]), claimedLine(want[i]), err, merr)
			p.answers["claim "+string(want[i].Status)]++
			if want[i].Status == claims.Won && !slices.ContainsFunc(p.flying, func(f claims.Final) bool { return f.RunID == c.RunID }) {
				p.flying = append(p.flying, claims.Final{Token: got[i].Token})
			}
		}
	}
}

func claimedLine(c claims.Claimed) string {
	if c.Status != claims.Won {
		c.Input, c.By = nil, ""
	}
	for _, p := range c.Replaced {
		c.By += fmt.Sprintf(", instead of %s attempt %d", p.Slot.ID, p.Attempt)
	}
	return fmt.Sprintf("%s run %q for %s, input %s by %q; %s", c.Status, c.Token.RunID, c.Token.Job, c.Input, c.By, jobLine(c.Job))
}

// result makes up what a run came to.
func (p *player) result(tok claims.Token) claims.Final {
	outcomes := []claims.Outcome{claims.OK, claims.OK, claims.Failed, claims.Timeout, claims.Trapped, claims.Killed}
	f := p.final(tok, outcomes[p.rng.IntN(len(outcomes))])
	f.Counts = p.rng.IntN(2) == 0
	if f.Outcome != claims.OK {
		f.Reason = "it went wrong"
		if p.rng.IntN(2) == 0 {
			f.Retry = p.now.Add(time.Duration(p.rng.IntN(30)) * time.Second)
		} else if p.rng.IntN(8) == 0 {
			f.Disable = "exit code 78"
		}
	}
	if p.rng.IntN(3) == 0 {
		f.Output = inline(fmt.Sprintf("output of %s\n", tok.RunID))
	}
	for range p.rng.IntN(4) {
		key := fmt.Sprintf("key-%d", p.rng.IntN(4))
		f.State = append(f.State, claims.StateWrite{Key: key, Value: []byte(tok.RunID), Delete: p.rng.IntN(4) == 0})
	}
	for range p.rng.IntN(4) {
		f.Used = append(f.Used, claims.StateUse{Key: fmt.Sprintf("key-%d", p.rng.IntN(5)), Prefix: p.rng.IntN(4) == 0})
	}
	if lanesOf(tok.Job) > 1 && p.rng.IntN(2) == 0 { // those that overlap meet at one key
		f.Outcome, f.Retry, f.Disable = claims.OK, time.Time{}, ""
		f.State = append(f.State, claims.StateWrite{Key: "key-0", Value: []byte(tok.RunID), Delete: p.rng.IntN(4) == 0})
	}
	if p.rng.IntN(4) == 0 { // it looked later than it was claimed
		_, rev, err := p.model.State(p.ctx, tok.Job)
		p.must(err)
		f.StateRev = rev
	}
	if p.rng.IntN(2) == 0 {
		f.Again = p.now.Add(time.Duration(p.rng.IntN(30)) * time.Second)
	}
	if p.rng.IntN(3) > 0 {
		f.Strike, f.PauseAfter, f.PauseReason = claims.Strikes(f.Outcome, f.Cause), int64(p.rng.IntN(5)), "too many failures"
	}
	if p.rng.IntN(40) == 0 {
		f.Counts, f.Repeat = true, 1
	}
	return f
}

func (p *player) finishSome() {
	p.rng.Shuffle(len(p.flying), func(i, j int) { p.flying[i], p.flying[j] = p.flying[j], p.flying[i] })
	n := min(1+p.rng.IntN(4), len(p.flying))
	var finals []claims.Final
	for _, f := range p.flying[:n] {
		finals = append(finals, p.result(f.Token))
	}
	p.flying = p.flying[n:]
	p.finalizeBoth(finals)
}

func (p *player) finalizeBoth(finals []claims.Final) {
	p.Helper()
	got, err := p.store().Finalize(p.ctx, p.now, finals)
	want, merr := p.model.Finalize(p.ctx, p.now, finals)
	p.must(err)
	p.must(merr)
	for i, f := range finals {
		p.same(fmt.Sprintf("finalize of run %s as %s", f.RunID, f.Outcome), string(got[i].Status)+" "+jobLine(got[i].Job),
			string(want[i].Status)+" "+jobLine(want[i].Job), err, merr)
		p.answers["finalize "+string(want[i].Status)]++
	}
	p.past = append(p.past, finals...)
	p.past = p.past[max(0, len(p.past)-50):]
}

// late repeats an old commit, or brings another result of the same run, or one with a token that is wrong.
func (p *player) late() {
	if len(p.past) == 0 {
		return
	}
	f := p.past[p.rng.IntN(len(p.past))]
	switch p.rng.IntN(3) {
	case 0:
		f = p.result(f.Token)
		f.Output = claims.Output{}
	case 1:
		f.Seq += int64(1 - 2*p.rng.IntN(2))
		f.Output = claims.Output{}
	}
	p.finalizeBoth([]claims.Final{f})
}

func (p *player) recoverSome() {
	var finals []claims.Final
	for _, tok := range p.lost {
		f := p.final(tok, claims.Orphaned)
		f.Reason, f.Evidence = "the owner is dead", "its lock was free"
		if p.rng.IntN(2) == 0 {
			f.Retry = p.now.Add(time.Second)
		}
		finals = append(finals, f)
	}
	p.lost = nil
	if len(p.flying) > 0 && p.rng.IntN(4) == 0 { // the owner was only slow
		f := p.final(p.flying[0].Token, claims.Orphaned)
		finals = append(finals, f)
	}
	p.finalizeBoth(finals)
}
