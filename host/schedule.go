package host

import (
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/schedule"
)

// parse reads a schedule as it is in force since anchor; nil without an error is that of a job without one. The grid of @every
// lies on whole seconds.
func parse(text, zone string, opt schedule.Options) (*schedule.Spec, error) {
	if text == "" {
		return nil, nil
	}
	opt.Anchor, opt.Location = opt.Anchor.Truncate(time.Second), time.UTC
	if zone != "" {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, fmt.Errorf("timezone %q: %w", zone, err)
		}
		opt.Location = loc
	}
	return schedule.Parse(text, opt)
}

// spec is the schedule of a definition that is in force since anchor.
func (j Job) spec(anchor time.Time) (*schedule.Spec, error) {
	return parse(j.Schedule, j.Timezone, schedule.Options{Name: j.Name, Anchor: anchor, DST: j.DST})
}

// Warnings are those of the job's schedule. There are none where it cannot be read.
func (j Job) Warnings() []string {
	spec, err := j.spec(time.Unix(0, 0))
	if spec == nil || err != nil {
		return nil
	}
	return spec.Warnings()
}

// RunsAtStart reports whether the job's schedule has @reboot.
func (j Job) RunsAtStart() bool {
	spec, err := j.spec(time.Unix(0, 0))
	return err == nil && spec != nil && spec.Reboot()
}

// ScheduleOf is the schedule of a ledger row, as the host reads it. It is nil for a job without one.
func ScheduleOf(row claims.Job) (*schedule.Spec, error) {
	spec, err := parse(row.Schedule, row.Timezone, schedule.Options{Name: row.Name, Anchor: row.Anchor})
	if err != nil {
		return nil, fmt.Errorf("schedule of job %q: %w", row.Name, err)
	}
	return spec, nil
}

// Occurrences is the schedule of a ledger row as a function: the next time strictly after its argument, the zero time for never.
func Occurrences(row claims.Job) (func(after time.Time) time.Time, error) {
	spec, err := ScheduleOf(row)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		return func(time.Time) time.Time { return time.Time{} }, nil
	}
	return within(spec.Next, row.NotBefore, row.NotAfter), nil
}

// AtStartNote is said of a job that has no next time and yet runs.
const AtStartNote = "it runs when a host starts"

// oneLine is the text of several schedules as one writes it on a command line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
