package claimstest

import (
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
)

// storeLarge has some thousands of runs: queries keep their limits, a revision tells only what is new, and pruning keeps the newest.
func storeLarge(w *world) {
	const jobs, rounds, keep = 100, 25, 4
	var puts []claims.Put
	var limits []claims.Retain
	for i := range jobs {
		puts = append(puts, def(fmt.Sprintf("job-%03d", i), period, w.now))
		limits = append(limits, claims.Retain{Job: puts[i].Name, Runs: keep})
	}
	rows := w.put(puts...)
	for range rounds {
		w.now = rows[0].Next
		var items []claims.Claim
		for _, j := range rows {
			items = append(items, w.item(j))
		}
		var finals []claims.Final
		for _, got := range w.claim(alpha, items...) {
			finals = append(finals, w.final(got.Token, claims.OK))
		}
		done, err := w.s.Finalize(w.ctx, w.now, finals)
		w.must(err)
		for i := range done {
			if done[i].Status != claims.Done {
				w.Fatalf("finalize: %+v", done[i])
			}
			rows[i] = done[i].Job
		}
	}
	count := func(q claims.RunQuery, want int) []claims.Run {
		w.Helper()
		got := w.runs(q)
		if len(got) != want {
			w.Errorf("%+v: %d runs, want %d", q, len(got), want)
		}
		return got
	}
	count(claims.RunQuery{}, 100)
	count(claims.RunQuery{Limit: -1}, jobs*rounds)
	newest := count(claims.RunQuery{Job: "job-042", Limit: 3}, 3)
	if !newest[0].Slot.At.Equal(w.now) || !newest[2].Slot.At.Equal(w.now.Add(-2*time.Minute)) {
		w.Errorf("newest runs: %+v", newest)
	}
	count(claims.RunQuery{Job: "job-042", Before: newest[2].ClaimedAt, Limit: -1}, rounds-3)
	ch, err := w.s.Changes(w.ctx, alpha, 0)
	w.must(err)
	w.finish(w.start(alpha, "job-007"), claims.OK)
	if ch, err = w.s.Changes(w.ctx, alpha, ch.Rev); err != nil || len(ch.Jobs) != 1 || ch.Jobs[0].Name != "job-007" {
		w.Errorf("changes after one more run: %+v, %v", ch.Jobs, err)
	}
	before := w.verdicts("job-007")
	if p := w.prune(limits...); p.Runs != jobs*(rounds-keep)+1 {
		w.Errorf("pruned: %+v", p)
	}
	count(claims.RunQuery{Limit: -1}, jobs*keep)
	if got := w.verdicts("job-007"); fmt.Sprint(got) != fmt.Sprint(before) {
		w.Errorf("verdicts %v, before %v", got, before)
	}
}

// claimClocksDiffer has two hosts of which one's clock is ten minutes behind: neither can take the other's slot again, close its
// run a second time, or wedge the job.
func claimClocksDiffer(w *world) {
	const behind = -10 * time.Minute
	w.minutely("a")
	item := w.due("a")
	tok := w.claimed(alpha, item, claims.Won).Token
	w.wait(behind)
	late := item
	late.RunID = w.id()
	w.claimed(beta, late, claims.Stale)
	w.must(w.s.Renew(w.ctx, w.now, beta))
	w.request(claims.Request{Kind: claims.Cancel, RunID: tok.RunID, By: "ann"})
	orphan := w.final(tok, claims.Orphaned) // ended before it began, by the clocks
	orphan.Retry = w.now
	w.finalize(orphan, claims.Done)
	w.wait(-behind)
	w.finalize(w.final(tok, claims.OK), claims.Fenced)
	w.finish(w.claimed(alpha, w.pendingItem(w.pending(1)[0]), claims.Won).Token, claims.OK)
	w.wait(behind)
	if j := w.job("a"); j.Last != claims.OK {
		w.Errorf("the last run by the later clock: %+v", j)
	}
	next := w.item(w.job("a")) // due by alpha's clock alone
	w.claimed(beta, next, claims.Won)
	w.claimed(alpha, w.item(w.job("a")), claims.Busy)
	w.finish(claims.Token{Job: "a", Seq: w.open(1)[0].Seq, RunID: next.RunID}, claims.OK)
	w.verdict("a", map[claims.Verdict]int64{"ok": 2, claims.Skipped: 1})
	w.now = w.job("a").Next
}
