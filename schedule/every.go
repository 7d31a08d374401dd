package schedule

import (
	"math/bits"
	"time"
)

const nanos = uint64(time.Second)

// nextEvery returns the first point of the grid after a time. The arithmetic is in 128 bits because time.Time.Sub saturates
// at 292 years.
func (s *Spec) nextEvery(after time.Time) time.Time {
	next := after.Round(0).Add(s.period - s.phase(after))
	if next.Unix() > maxUnix {
		return time.Time{}
	}
	return next.In(s.loc)
}

// phase is how far after lies beyond the grid point at or before it: in [0, period).
func (s *Spec) phase(after time.Time) time.Duration {
	if s.anchor.IsZero() {
		return 0
	}
	period := uint64(s.period)
	if after.Before(s.anchor) {
		hi, lo := distance(after, s.anchor)
		return time.Duration((period - bits.Rem64(hi, lo, period)) % period)
	}
	hi, lo := distance(s.anchor, after)
	return time.Duration(bits.Rem64(hi, lo, period))
}

// countEvery is Count for a grid.
func (s *Spec) countEvery(after, through time.Time, limit int) (int, time.Time) {
	first := s.Next(after)
	if first.IsZero() || first.After(through) {
		return 0, time.Time{}
	}
	if end := time.Unix(maxUnix, 0); through.After(end) {
		through = end
	}
	// No quotient overflows: between minUnix and maxUnix hi is below 18, and a period is at least a second.
	hi, lo := distance(first, through)
	steps, _ := bits.Div64(hi, lo, uint64(s.period))
	steps = min(steps, uint64(limit-1))
	hi, lo = bits.Mul64(steps, uint64(s.period))
	sec, nsec := bits.Div64(hi, lo, nanos)
	last := time.Unix(first.Unix()+int64(sec), int64(first.Nanosecond())+int64(nsec))
	return int(steps) + 1, last.In(s.loc)
}

// distance is to-from in nanoseconds as a 128-bit number; from is not after to, and both are between minUnix and maxUnix.
func distance(from, to time.Time) (hi, lo uint64) {
	sec, nsec := to.Unix()-from.Unix(), int64(to.Nanosecond()-from.Nanosecond())
	if nsec < 0 {
		sec, nsec = sec-1, nsec+int64(nanos)
	}
	hi, lo = bits.Mul64(uint64(sec), nanos)
	lo, carry := bits.Add64(lo, uint64(nsec), 0)
	return hi + carry, lo
}
