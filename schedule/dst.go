package schedule

// DST is what a fixed-time expression does when the clock changes. It has no bearing on the other schedules: interval-like
// expressions and @every follow elapsed time, @at is one time.
type DST string

// The policies. In each, a change of more than three hours is a correction of the zone: its times are lost or come twice.
const (
	// Once is the rule of cron(8) and the default: times of a skipped stretch run once, right after it; times of a repeated
	// stretch run the first time only.
	Once DST = "once"
	// Skip drops the times of a skipped stretch; times of a repeated stretch run the first time only.
	Skip DST = "skip"
	// Both runs times of a repeated stretch both times; times of a skipped stretch run once, right after it.
	Both DST = "both"
)

const dstWords = "is not one of once, skip, both"

// valid reports whether d is one of the policies, or empty.
func (d DST) valid() bool { return d == "" || d == Once || d == Skip || d == Both }
