package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wcron/wcron/admin"
)

// jobsView is the page of all jobs.
type jobsView struct {
	Jobs      []jobLine
	All, From int // how many there are; the place of the first that is shown
	First     bool
	Next      string // the name after which the next page begins; empty: this is the last one
	Zone      string
}

// jobLine is a job as a line of that page.
type jobLine struct {
	Name     string
	State    outcome
	Schedule string
	Next     *moment
	Due      bool
	Last     outcome
	LastRun  string
	LastAt   *moment
	Running  []running
	Why      []string // why it is not active or waits, and what else is to be said
	Remedy   string
}

// running is a run in flight.
type running struct {
	ID      string
	Since   *moment
	Percent *float64
	Shown   string // the percentage for people
	Text    string
}

// jobs shows the jobs by name.
func (d *dashboard) jobs(ctx context.Context, r *http.Request, c clock) (view, error) {
	all, err := d.API.Jobs(ctx)
	if err != nil {
		return view{}, err
	}
	after := r.URL.Query().Get("after")
	from := 0
	if after != "" {
		from, _ = slices.BinarySearchFunc(all, after+"\x00", func(j admin.Job, name string) int { return strings.Compare(j.Job, name) })
	}
	shown := all[from:min(from+jobsShown, len(all))]
	v := jobsView{All: len(all), From: from + 1, First: from == 0, Zone: c.zone.String()}
	if from+len(shown) < len(all) {
		v.Next = shown[len(shown)-1].Job
	}
	for _, j := range shown {
		line := lineOf(j, c)
		if line.Running, err = d.inFlight(ctx, j, c); err != nil {
			return view{}, err
		}
		v.Jobs = append(v.Jobs, line.short())
	}
	return view{Name: "jobs", Title: "Jobs", Live: true, Body: v}, nil
}

// find is one job of the list.
func (d *dashboard) find(ctx context.Context, name string) (admin.Job, error) {
	all, err := d.API.Jobs(ctx)
	if err != nil {
		return admin.Job{}, err
	}
	i := slices.IndexFunc(all, func(j admin.Job) bool { return j.Job == name })
	if i < 0 {
		return admin.Job{}, fmt.Errorf("%w: no job is called %q; it may have been removed, and its runs are then found by their ids", errNothing, clip(name))
	}
	return all[i], nil
}

func lineOf(j admin.Job, c clock) jobLine {
	l := jobLine{
		Name: clip(j.Job), State: classed(j.State, j.State), Schedule: scheduleOf(j, c), Remedy: text(j.Remedy), Why: reasonsOf(j, c),
		LastRun: text(j.LastRunID), LastAt: c.of(j.LastEndedAt),
	}
	if len(j.Running) > 0 {
		l.State = classed("running", "running")
		if j.State != "active" && j.State != "manual" {
			l.State.Word += ", " + clip(j.State)
		}
	}
	if word := text(j.LastOutcome); word != "" {
		l.Last = classed(word, word)
	}
	switch j.State {
	case "paused", "disabled", "broken", admin.Pending, admin.Denied: // that slot will not run
	default:
		if l.Next = c.of(j.NextAt); j.NextAt != nil {
			l.Due = !j.NextAt.After(c.now)
		}
	}
	for i, why := range l.Why { // many a reason ends with the remedy, which is shown apart from it
		if l.Remedy != "" && why != l.Remedy {
			l.Why[i] = strings.TrimSuffix(why, "; "+l.Remedy)
		}
	}
	if slices.Contains(l.Why, l.Remedy) {
		l.Remedy = ""
	}
	return l
}

// maxLine is how much of one text a line of the list of jobs shows, in bytes: the page of the job has more.
const maxLine = 512

// short bounds the texts further than a job's own page does.
func (l jobLine) short() jobLine {
	for _, s := range []*string{&l.State.Word, &l.Schedule, &l.Last.Word, &l.Remedy} {
		*s = clipTo(*s, maxLine)
	}
	for i := range l.Why {
		l.Why[i] = clipTo(l.Why[i], maxLine)
	}
	for i := range l.Running {
		l.Running[i].Text = clipTo(l.Running[i].Text, maxLine)
	}
	return l
}

// scheduleOf is the schedule, and its zone if that is another than the usual one.
func scheduleOf(j admin.Job, c clock) string {
	s := text(j.Schedule)
	if s != "" && j.Timezone != c.zone.String() {
		s += " (" + clip(j.Timezone) + ")"
	}
	return s
}

// reasonsOf is what is to be said of a job as it is now.
func reasonsOf(j admin.Job, c clock) (list []string) {
	if j.WaitingSince != nil {
		list = append(list, "a slot is due and waits since "+c.since(*j.WaitingSince))
	}
	if j.Queued > 0 {
		list = append(list, plural(int64(j.Queued), "slot")+" in the queue")
	}
	if s := text(j.Reason); s != "" {
		list = append(list, s)
	}
	if j.SkipAt != nil && j.NextAt != nil && j.SkipAt.Equal(*j.NextAt) {
		list = append(list, "the next slot is passed over: "+text(j.SkipReason))
	}
	if s := text(j.Note); s != "" && !slices.Contains(list, s) {
		list = append(list, s)
	}
	return list
}

// maxRunning is how many runs of one job a page shows at most.
const maxRunning = 64

// inFlight is what runs of a job now, and how far it is. A run that has ended since the list was made is left out.
func (d *dashboard) inFlight(ctx context.Context, j admin.Job, c clock) (list []running, err error) {
	for _, id := range j.Running[:min(len(j.Running), maxRunning)] {
		runs, err := d.API.Runs(ctx, admin.RunQuery{RunID: id, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 || runs[0].EndedAt != nil {
			continue
		}
		list = append(list, progressOf(runs[0], j, c))
	}
	return list, nil
}

// progressOf is a run in flight with what it has told, which its job knows.
func progressOf(r admin.Run, j admin.Job, c clock) running {
	out := running{ID: r.RunID, Since: c.at(r.ClaimedAt)}
	out.Since.Rel = c.since(r.ClaimedAt)
	for _, p := range j.Progress {
		if p.RunID != r.RunID {
			continue
		}
		out.Text = clip(p.Text)
		if p.Percent != nil {
			percent := min(max(*p.Percent, 0), 100)
			out.Percent, out.Shown = &percent, fmt.Sprintf("%.0f %%", percent)
		}
	}
	return out
}
