package claims

// OverlapPolicy says what becomes of a slot of the schedule that is due while as many runs of its job are open as there may be.
type OverlapPolicy string

// The policies.
const (
	OverlapSkip    OverlapPolicy = "skip"    // the slot is skipped, with the reason; the default
	OverlapQueue   OverlapPolicy = "queue"   // the slot waits its turn, in the ledger
	OverlapReplace OverlapPolicy = "replace" // the open run is ended, and the slot starts when it is gone; only the newest one waits
	OverlapAllow   OverlapPolicy = "allow"   // runs of the job go on side by side, as many as MaxConcurrent
)

// Defaults of an Overlap's fields.
const (
	DefaultQueueLimit    = 10
	DefaultMaxConcurrent = 2
)

// Overlap is a job's policy for slots that come while it runs. Its zero value skips them.
type Overlap struct {
	Policy        OverlapPolicy // empty: OverlapSkip
	QueueLimit    int           // OverlapQueue: slots that may wait; 0: DefaultQueueLimit
	MaxConcurrent int           // OverlapAllow: runs that may be open at once; 0: DefaultMaxConcurrent
}

// Decided is the policy with its defaults filled in.
func (o Overlap) Decided() Overlap {
	if o.Policy == "" {
		o.Policy = OverlapSkip
	}
	if o.QueueLimit <= 0 {
		o.QueueLimit = DefaultQueueLimit
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = DefaultMaxConcurrent
	}
	return o
}

// Lanes is how many runs of the job may be open at once.
func (o Overlap) Lanes() int {
	if o.Policy != OverlapAllow {
		return 1
	}
	return o.Decided().MaxConcurrent
}

// Waits tells whether slots wait under the policy instead of being skipped.
func (p OverlapPolicy) Waits() bool { return p == OverlapQueue || p == OverlapReplace }

// Queued tells whether this is a slot of the schedule that waits for its first attempt because its job was busy. Other pending work
// is a manual request, or a further attempt of a slot.
func (p Pending) Queued() bool { return p.Slot.Kind == Scheduled && p.Attempt <= 1 }
