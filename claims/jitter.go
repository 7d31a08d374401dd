package claims

import (
	"hash/fnv"
	"time"
)

// Jitter is how long after its time a slot starts: a whole number of milliseconds below most and below the distance to the next
// slot, so that no slot passes another. It depends on the job's name and the slot's time alone: the same slot has the same delay on
// every host and in every attempt. A next of zero is no bound.
func Jitter(job string, slot, next time.Time, most time.Duration) time.Duration {
	if !next.IsZero() {
		most = min(most, next.Sub(slot))
	}
	ms := most.Milliseconds()
	if ms <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(ScheduledSlot(job, slot).ID)) // a hash never fails
	sum := h.Sum64()
	sum ^= sum >> 33 // neighbours differ in their last characters, which FNV leaves in the low bits
	sum *= 0xff51afd7ed558ccd
	sum ^= sum >> 33
	return time.Duration(sum%uint64(ms)) * time.Millisecond
}
