package admin

import (
	"context"

	"github.com/wcron/wcron/host"
)

// Policies is what becomes of a job's slots where not all goes as planned, with the defaults filled in.
type Policies struct {
	Overlap       string `json:"overlap"`        // "skip", "queue", "replace" or "allow"
	QueueLimit    int    `json:"queue_limit"`    // slots that may wait with "queue"
	MaxConcurrent int    `json:"max_concurrent"` // runs at once with "allow"
}

func policies(j host.Job) *Policies {
	over := j.Overlap.Decided()
	return &Policies{Overlap: string(over.Policy), QueueLimit: over.QueueLimit, MaxConcurrent: over.MaxConcurrent}
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
