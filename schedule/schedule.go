package schedule

import (
	"time"
	_ "time/tzdata" // zones must resolve on machines and in containers that have no zone database
)

// Schedule is a set of times. Next returns the first of them strictly after its argument; the zero time means never.
// Next is pure: the same argument gives the same answer. Implementations are safe for concurrent use.
type Schedule interface {
	Next(after time.Time) time.Time
}

// Options is what a text is read against. The zero value reads it in UTC, without a name, an anchor or a present.
type Options struct {
	// Location is the zone of a text that names none; nil is UTC. It should be a zone loaded by name.
	Location *time.Location
	// LocationSet says that Location was asked for explicitly: a text that names a different zone is then an error.
	// Otherwise Location is a default and the zone in the text wins.
	LocationSet bool
	// Name is the job's name. It alone decides the value of H: the same name gives the same times everywhere.
	Name string
	// Anchor is the origin of the grid of @every, which extends to both sides of it. When it is zero, the time after t is
	// t plus the period. @in counts from it when it is set.
	Anchor time.Time
	// Now is when the job was created. @in counts from it when Anchor is zero, and an @at that is not after it is refused.
	// Zero: not known; @in then needs an Anchor and a past @at is accepted.
	Now time.Time
	// DST is what fixed-time expressions do when the clock changes; empty is Once. A DST= in the text wins over it.
	DST DST
}

// Kind is the sort of times that a Spec has.
type Kind int

const (
	// Cron is a calendar expression or one of its macros.
	Cron Kind = iota
	// Every is a grid of elapsed time (@every).
	Every
	// At is a single time (@at, @in).
	At
	// Reboot has no times: it is for the start of a host (@reboot).
	Reboot
	// List is several of the above.
	List
)

// String returns "cron", "every", "at", "reboot" or "list".
func (k Kind) String() string {
	switch k {
	case Every:
		return "every"
	case At:
		return "at"
	case Reboot:
		return "reboot"
	case List:
		return "list"
	default:
		return "cron"
	}
}

// Times outside the years 1 to 9999 are not served: text formats and databases do not hold them.
const (
	minUnix = -62135596800 // 0001-01-01T00:00:00Z, the zero time
	maxUnix = 253402300799 // 9999-12-31T23:59:59Z
)

// Spec is a parsed text. It is immutable and safe for concurrent use.
type Spec struct {
	kind     Kind
	text     string
	loc      *time.Location
	warnings []string

	cal    *calendar     // Cron
	fixed  bool          // Cron: clock changes are compensated
	dst    DST           // Cron: how; never empty
	over   int64         // Cron: from this instant on there are no more times; never: there are
	period time.Duration // Every
	anchor time.Time     // Every; zero: none
	at     time.Time     // At
	wall   int64         // At: the wall clock's time that was asked for; noWall: it was given with an offset
	list   []*Spec       // List
}

var _ Schedule = (*Spec)(nil)

// Next returns the first time of s strictly after its argument, in s's zone, or the zero time if there is none within about
// a hundred years or before the year 10000. Times of a calendar expression are whole seconds. Next takes microseconds, never
// a millisecond, and does not allocate. The time of a list is the earliest of its schedules'.
func (s *Spec) Next(after time.Time) time.Time {
	sec := after.Unix()
	if sec >= maxUnix {
		return time.Time{}
	}
	if sec < minUnix {
		sec, after = minUnix, time.Unix(minUnix, 0)
	}
	switch s.kind {
	case List:
		return s.nextOfList(after)
	case Reboot:
		return time.Time{}
	case Every:
		return s.nextEvery(after)
	case At:
		if s.at.After(after) {
			return s.at
		}
		return time.Time{}
	}
	due, ok := s.nextInstant(sec + 1)
	if !ok {
		return time.Time{}
	}
	return time.Unix(due, 0).In(s.loc)
}

// String returns the canonical text; that of a list has one line for each schedule. Two texts with the same canonical text have
// the same times under the same Options, and the canonical text of a canonical text is itself: a difference means that the schedule
// was changed. Macros and H are kept as written. The zone is part of the text unless it is UTC by default, and a DST other than Once
// is, both where they have a bearing on the times.
func (s *Spec) String() string { return s.text }

// Location returns the zone in which the text is read and Next answers. It is never nil. A list whose schedules have different
// zones has that of its Options.
func (s *Spec) Location() *time.Location { return s.loc }

// Reboot reports whether s asks for a run when a host starts: it is an @reboot, or a list that has one.
func (s *Spec) Reboot() bool {
	for _, m := range s.list {
		if m.kind == Reboot {
			return true
		}
	}
	return s.kind == Reboot
}

// Kind returns the sort of times that s has.
func (s *Spec) Kind() Kind { return s.kind }

// Period returns the distance between two times and true if s is an @every; otherwise 0 and false.
func (s *Spec) Period() (time.Duration, bool) { return s.period, s.kind == Every }

// Warnings returns one sentence for each part of the text that is legal but that other tools read differently or that is
// probably not what its author meant. The slice is the caller's.
func (s *Spec) Warnings() []string { return append([]string(nil), s.warnings...) }

// Count counts the times of s in (after, through], at most limit of them, and returns how many there are and the last one
// that was counted; n is 0 and last is the zero time when there is none or limit is not positive. For @every it takes
// constant time, otherwise one call of Next for each time counted.
func Count(s Schedule, after, through time.Time, limit int) (n int, last time.Time) {
	if limit <= 0 || !through.After(after) {
		return 0, time.Time{}
	}
	if spec, ok := s.(*Spec); ok && spec.kind == Every {
		return spec.countEvery(after, through, limit)
	}
	for t := after; n < limit; n++ {
		next := s.Next(t)
		// A foreign Schedule that does not advance must not hold the caller for ever.
		if next.IsZero() || next.After(through) || !next.After(t) {
			break
		}
		t, last = next, next
	}
	return n, last
}
