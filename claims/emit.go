package claims

import "fmt"

// MaxEmitted is how many runs of a job that were asked for may wait: what runs of other jobs, or of its own, start beyond is not made.
// Otherwise jobs that start each other would fill the ledger.
const MaxEmitted = 100

// Refusal says why a run is not made that another run starts: of the job, as it is, of how many of its runs that were asked for wait.
func (e Emit) Refusal(job Job, exists bool, waiting int) string {
	switch {
	case !exists:
		return "it was removed meanwhile"
	case job.Paused:
		return "it is paused"
	case waiting >= MaxEmitted:
		return fmt.Sprintf("%d runs of it that were asked for wait already", waiting)
	}
	return ""
}
