package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
)

// jobView is the page of a job.
type jobView struct {
	jobLine
	Facts                 []fact
	Policies              []fact
	Asks                  []ask
	Update                *update
	Slots                 []slotLine
	SlotsFrom             string
	SlotsNext, HereR      string // the next page of slots, beside the present page of runs
	Runs                  []runLine
	RunsFrom              string
	RunsNext, HereS       string // the next page of runs, beside the present page of slots
	SlotsFirst, RunsFirst bool
}

// fact is a name with a value; At is the value where that is a time.
type fact struct {
	Name, Value string
	At          *moment
	Note        string
}

// ask is one thing that a plugin asks for.
type ask struct {
	Kind, What, Reason string
	State              outcome
}

// update is a version of the plugin that is there and not in use.
type update struct {
	Digest     string
	More, Less []ask
	Denied     bool
}

type slotLine struct {
	At      *moment
	Verdict outcome
	Until   *moment // of the last of several
	Runs    []string
	Reason  string
}

type runLine struct {
	At      *moment
	ID      string
	Outcome outcome
	Took    string
	Fuel    string
	Memory  string
	Note    string
}

// job shows a job.
func (d *dashboard) job(ctx context.Context, r *http.Request, c clock) (view, error) {
	q := r.URL.Query()
	slotsFrom, err := readCursor(q.Get("slots"))
	if err != nil {
		return view{}, err
	}
	runsFrom, err := readCursor(q.Get("runs"))
	if err != nil {
		return view{}, err
	}
	j, err := d.find(ctx, r.PathValue("name"))
	if err != nil {
		return view{}, err
	}
	v := jobView{jobLine: lineOf(j, c), Facts: factsOf(j, c), Policies: policiesOf(j.Policies, c), HereS: slotsFrom.String(), HereR: runsFrom.String()}
	v.SlotsFirst, v.RunsFirst = v.HereS == "", v.HereR == ""
	if j.Access != nil {
		v.Asks, v.Update = asksOf(*j.Access), updateOf(j.Access.Update)
	}
	if v.Running, err = d.inFlight(ctx, j, c); err != nil {
		return view{}, err
	}
	slots, next, err := paged(slotsFrom, func(before time.Time, limit int) ([]admin.Slot, error) {
		return d.API.Slots(ctx, admin.SlotQuery{Job: j.Job, Before: before, Limit: limit})
	}, func(s admin.Slot) cursor { return cursor{s.ScheduledAt, s.Slot} })
	if err != nil {
		return view{}, err
	}
	v.SlotsNext = next.String()
	for _, s := range slots {
		v.Slots = append(v.Slots, slotLineOf(s, c))
	}
	runs, next, err := paged(runsFrom, func(before time.Time, limit int) ([]admin.Run, error) {
		return d.API.Runs(ctx, admin.RunQuery{Job: j.Job, Before: before, Limit: limit})
	}, func(r admin.Run) cursor { return cursor{r.ClaimedAt, r.RunID} })
	if err != nil {
		return view{}, err
	}
	v.RunsNext = next.String()
	for _, r := range runs {
		v.Runs = append(v.Runs, runLineOf(r, c))
	}
	return view{Name: "job", Title: v.Name, Live: true, Body: v}, nil
}

// facts gathers facts that are there.
type facts []fact

func (f *facts) text(name, value string) {
	if value != "" {
		*f = append(*f, fact{Name: name, Value: clip(value)})
	}
}

func (f *facts) time(name string, at *moment, note string) {
	if at != nil {
		*f = append(*f, fact{Name: name, At: at, Note: note})
	}
}

// factsOf is the definition of a job and where it stands.
func factsOf(j admin.Job, c clock) []fact {
	var f facts
	f.text("plugin", text(j.Plugin))
	f.text("digest", j.Digest)
	f.text("schedule", text(j.Schedule))
	f.text("time zone", j.Timezone)
	f.text("when the clock changes", "dst = "+j.DST)
	f.time("next slot", c.of(j.NextAt), "")
	if j.StartsAt != nil && j.NextAt != nil && !j.StartsAt.Equal(*j.NextAt) {
		f.time("starts", c.of(j.StartsAt), "")
	}
	f.time("passed over", c.of(j.SkipAt), text(j.SkipReason))
	f.time("last end", c.of(j.LastEndedAt), text(j.LastOutcome))
	f.text("note", text(j.Note))
	for i, w := range j.Warnings {
		if i == maxHosts {
			break
		}
		f.text("warning", w)
	}
	f.text("job set", j.Source)
	if a := j.Access; a != nil {
		f.text("access", a.State)
		f.text("decided by", text(a.By))
		f.time("decided at", c.of(a.At), "")
	}
	return f
}

// policiesOf is what becomes of slots that cannot simply run on time.
func policiesOf(p *admin.Policies, c clock) []fact {
	if p == nil {
		return nil
	}
	or := func(ms *int64, none string) string {
		if ms == nil {
			return none
		}
		return took(ms)
	}
	var f facts
	f.text("missed", p.Missed)
	if p.Missed == "all" {
		f.text("missed_limit", strconv.Itoa(p.MissedLimit))
	}
	f.text("missed_window", or(p.MissedWindowMS, "none"))
	f.text("starting_deadline", or(p.StartingDeadlineMS, "none"))
	f.text("grace", took(&p.GraceMS))
	f.text("jitter", took(&p.JitterMS))
	f.time("not_before", c.of(p.NotBefore), "")
	f.time("not_after", c.of(p.NotAfter), "")
	f.text("retries", strconv.Itoa(p.Retries))
	if p.Retries > 0 {
		f.text("backoff", took(&p.BackoffMinMS)+" to "+took(&p.BackoffMaxMS))
		f.text("retry_on", strings.Join(p.RetryOn, ", "))
	}
	if p.Repeat > 0 {
		f.text("repeat", strconv.FormatInt(p.Repeated, 10)+" of "+strconv.FormatInt(p.Repeat, 10))
	}
	f.text("failures in a row", strconv.FormatInt(p.Failures, 10))
	if p.PauseAfter > 0 {
		f.text("pause_after", strconv.FormatInt(p.PauseAfter, 10))
	}
	f.text("overlap", p.Overlap)
	switch p.Overlap {
	case "queue":
		f.text("queue_limit", strconv.Itoa(p.QueueLimit))
	case "allow":
		f.text("max_concurrent", strconv.Itoa(p.MaxConcurrent))
	}
	return f
}

// asksOf is what a plugin asks for, and whether it is given.
func asksOf(a admin.Access) (list []ask) {
	denied := map[admin.Ask]bool{}
	for _, one := range a.Denied {
		denied[one] = true
	}
	for _, one := range a.Requested {
		state := a.State
		if denied[one] {
			state = admin.Denied
		}
		list = append(list, askOf(one, state))
	}
	return list
}

func askOf(a admin.Ask, state string) ask {
	return ask{clip(a.Kind), clip(a.What), clip(a.Reason), classed(state, state)}
}

func updateOf(u *admin.Update) *update {
	if u == nil {
		return nil
	}
	v := &update{Digest: clip(u.Digest), Denied: u.Denied}
	for _, one := range u.More {
		v.More = append(v.More, askOf(one, "more"))
	}
	for _, one := range u.Less {
		v.Less = append(v.Less, askOf(one, "less"))
	}
	return v
}

// maxAttempts is how many runs of one slot a line names.
const maxAttempts = 20

func slotLineOf(s admin.Slot, c clock) slotLine {
	word := "open"
	if s.Verdict != nil {
		word = *s.Verdict
	}
	l := slotLine{At: c.at(s.ScheduledAt), Verdict: classed(word, word), Reason: text(s.Reason), Runs: s.RunIDs[max(len(s.RunIDs)-maxAttempts, 0):]}
	if s.Count > 1 {
		l.Verdict.Word += " × " + strconv.FormatInt(s.Count, 10)
		l.Until = c.at(s.Until)
	}
	return l
}

func runLineOf(r admin.Run, c clock) runLine {
	l := runLine{At: c.at(r.ClaimedAt), ID: r.RunID, Outcome: outcomeOf(r), Took: took(r.DurationMS), Fuel: digits(r.Fuel), Note: strings.Join(notesOf(r), "; ")}
	if r.EndedAt == nil {
		l.Took = c.since(r.ClaimedAt) + " so far"
	}
	if r.MemoryBytes > 0 {
		l.Memory = bytesText(r.MemoryBytes)
	}
	return l
}
