package claimstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

// A run that is ok starts the runs that it asked for, by its commit and once; one of a job that does not exist is told.
func finalEmits(w *world) {
	w.minutely("a", "b", "gone")
	w.remove("gone")
	tok := w.start(alpha, "a")
	w.now = w.now.Add(time.Minute).Truncate(time.Second)
	f := w.final(tok, claims.OK)
	f.Emit = []claims.Emit{
		{Job: "b", ID: "1", Input: []byte(`{"n":1}`), By: "run x"}, {Job: "nobody", ID: "2"}, {Job: "b", ID: "3"}, {Job: "gone", ID: "4"}, {Job: "a", ID: "5"},
	}
	got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
	w.must(err)
	if u := got[0].Unsent; len(u) != 2 || u[0].Job != "nobody" || u[1].Job != "gone" || !strings.Contains(u[1].Why, "removed") {
		w.Errorf("not sent: %+v", u)
	}
	seen := map[string]claims.Pending{}
	for _, p := range w.pending(3) {
		seen[p.Slot.ID] = p
	}
	first := seen[claims.ManualSlot("b", w.now, "1").ID]
	if first.Attempt != 1 || string(first.Input) != `{"n":1}` || first.By != "run x" || first.Slot.Kind != claims.Manual || !first.Due.Equal(w.now) {
		w.Errorf("emitted: %+v", first)
	}
	if _, ok := seen[claims.ManualSlot("a", w.now, "5").ID]; !ok {
		w.Errorf("the job itself is not among %+v", seen)
	}
	w.wait(time.Second)
	w.finalize(f, claims.AlreadyFinal) // the same commit again
	w.pending(3)
	w.claimed(alpha, w.pendingItem(first), claims.Won)
}

// Nothing else starts anything: no other outcome, no commit that does not count, no state conflict, no removed job.
func finalEmitsOfOthers(w *world) {
	w.minutely("a", "b", "c")
	emit := []claims.Emit{{Job: "b", ID: "1"}}
	for _, o := range []claims.Outcome{claims.Failed, claims.Timeout, claims.Trapped, claims.Killed} {
		f := w.final(w.start(alpha, "a"), o)
		f.Emit = emit
		w.finalize(f, claims.Done)
		w.wait(time.Minute)
	}
	lost := w.final(w.recovered("a"), claims.OK)
	lost.Emit = emit
	w.finalize(lost, claims.Fenced)
	dropped := w.final(w.start(alpha, "c"), claims.OK)
	dropped.Emit = emit
	w.remove("c")
	w.finalize(dropped, claims.Dropped)
	w.pending(0)
	w.verdict("b", map[claims.Verdict]int64{})
}

// Of a job so many runs wait that people and other runs asked for; what is emitted beyond, or to a job that is paused, is told and not made.
func finalEmitsAreBounded(w *world) {
	w.minutely("a", "b", "c")
	emit := func(job string, n int) (unsent []claims.Unsent) {
		f := w.final(w.start(alpha, "a"), claims.OK)
		for i := range n {
			f.Emit = append(f.Emit, claims.Emit{Job: job, ID: fmt.Sprint(f.RunID, "-", i)})
		}
		got, err := w.s.Finalize(w.ctx, w.now, []claims.Final{f})
		w.must(err)
		w.wait(time.Minute)
		return got[0].Unsent
	}
	const half = claims.MaxEmitted / 2
	w.request(claims.Request{Kind: claims.Trigger, Job: "b", ID: "person", By: "me"})
	if u := emit("b", half); len(u) > 0 {
		w.Errorf("not sent: %+v", u)
	}
	if u := emit("b", half+5); len(u) != 6 || !strings.Contains(u[0].Why, "wait") {
		w.Errorf("%d not sent, of 6: %+v", len(u), u)
	}
	w.pending(claims.MaxEmitted)
	w.request(claims.Request{Kind: claims.Trigger, Job: "b", ID: "another", By: "me"}) // a person is not kept from it
	if u := emit("a", 1); len(u) > 0 {
		w.Errorf("not sent to another job: %+v", u)
	}
	w.request(claims.Request{Kind: claims.Pause, Job: "c", By: "me"})
	if u := emit("c", 1); len(u) != 1 || !strings.Contains(u[0].Why, "paused") {
		w.Errorf("sent to a job that is paused: %+v", u)
	}
	w.pending(claims.MaxEmitted + 2)
}
