package jobtest

import (
	"fmt"

	"github.com/wcron/wcron/host"
)

// Ended waits until a job's run number n has ended, counted from 1, whoever started it, and returns the event of its
// end, as Run does.
func (h *Host) Ended(job string, n int) host.Event {
	h.t.Helper()
	end := h.await(fmt.Sprintf("run %d of %s", n, job), func(e host.Event) bool {
		if e.Kind == host.EndedRun && e.Job == job {
			n--
		}
		return n == 0
	})
	end.Output = h.output(end.RunID)
	return end
}
