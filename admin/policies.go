package admin

import (
	"context"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
)

// Policies is what a job does about slots that are late, missed or failing: the values in effect. Durations are milliseconds.
type Policies struct {
	Missed             string     `json:"missed"`
	MissedLimit        int        `json:"missed_limit"`         // looked at with missed = "all"
	MissedWindowMS     *int64     `json:"missed_window_ms"`     // null: no slot is too old
	StartingDeadlineMS *int64     `json:"starting_deadline_ms"` // null: no slot is too late
	GraceMS            int64      `json:"grace_ms"`             // of the next slot
	JitterMS           int64      `json:"jitter_ms"`
	NotBefore          *time.Time `json:"not_before"`
	NotAfter           *time.Time `json:"not_after"`
	Retries            int        `json:"retries"`
	BackoffMinMS       int64      `json:"backoff_min_ms"`
	BackoffMaxMS       int64      `json:"backoff_max_ms"`
	RetryOn            []string   `json:"retry_on"`
	Repeat             int64      `json:"repeat"`   // 0: no limit
	Repeated           int64      `json:"repeated"` // slots that have counted so far
	PauseAfter         int64      `json:"pause_after"`
	Failures           int64      `json:"failures"` // in a row, so far
	Overlap            string     `json:"overlap"`
	QueueLimit         int        `json:"queue_limit"`    // slots that may wait with overlap = "queue"
	MaxConcurrent      int        `json:"max_concurrent"` // runs at once with overlap = "allow"
}

// policies are those of a job; grace is that of its next slot.
func policies(j host.Job, row claims.Job) *Policies {
	p := &Policies{
		Missed: string(j.Missed), MissedLimit: j.MissedLimit, MissedWindowMS: span(j.MissedWindow), StartingDeadlineMS: span(j.StartingDeadline),
		GraceMS: j.GraceOf(row).Milliseconds(), JitterMS: j.Jitter.Milliseconds(), NotBefore: instant(j.NotBefore), NotAfter: instant(j.NotAfter),
		Retries: j.Retry.Retries, BackoffMinMS: j.Retry.Min.Milliseconds(), BackoffMaxMS: j.Retry.Max.Milliseconds(), RetryOn: j.Retry.On,
		Repeat: j.Repeat, Repeated: row.Repeats, PauseAfter: j.PauseAfter, Failures: row.Failures,
	}
	over := j.Overlap.Decided()
	p.Overlap, p.QueueLimit, p.MaxConcurrent = string(over.Policy), over.QueueLimit, over.MaxConcurrent
	if p.Missed == "" {
		p.Missed = string(claims.MissedOnce)
	}
	if p.MissedLimit == 0 {
		p.MissedLimit = claims.DefaultMissedLimit
	}
	if p.RetryOn == nil {
		p.RetryOn = []string{}
	}
	return p
}

// span is nil for no time.
func span(d time.Duration) *int64 {
	if d <= 0 {
		return nil
	}
	return new(d.Milliseconds())
}

// withQueue adds how many slots of each job wait.
func (d *Direct) withQueue(ctx context.Context, jobs []Job) ([]Job, error) {
	pending, err := d.cfg.Store.Pending(ctx)
	if err != nil {
		return nil, err
	}
	waiting := map[string]int{}
	for _, p := range pending {
		if p.Queued() {
			waiting[p.Slot.Job]++
		}
	}
	for i := range jobs {
		jobs[i].Queued = waiting[jobs[i].Job]
	}
	return jobs, nil
}
