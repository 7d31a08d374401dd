package host

import (
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// A host that is behind removes a job that is there again, and ends before it sees that: the other one brings it back. One that
// both let go of stays removed.
func TestJobRemovedByAHostThatWasBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		jobs := []Job{
			{Name: "back", Module: Bytes(guest.Greet("back")), Schedule: "* * * * * *"},
			{Name: "gone", Module: Bytes(guest.Greet("gone")), Schedule: "* * * * * *"},
		}
		behind, other := launch(t, dir, nil, jobs...), launch(t, dir, nil, jobs...)
		other.await("runs", func() bool { return len(other.runs("back")) > 1 && len(other.runs("gone")) > 1 })
		removed := func(name string) bool {
			row, err := other.store.Job(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return !row.Removed.IsZero()
		}
		behind.jobs.Remove("back")
		behind.jobs.Remove("gone")
		other.await("both removals", func() bool { return removed("back") && removed("gone") })
		behind.close()
		time.Sleep(sourcePatience / 2)
		other.jobs.Remove("gone")
		before := len(other.runs("back"))
		other.await("the job to come back", func() bool { return !removed("back") && len(other.runs("back")) > before+1 })
		time.Sleep(2 * sourcePatience)
		if !removed("gone") {
			t.Error("a job that no host defines came back")
		}
		if n := other.told(JobAdded, "back"); n != 2 {
			t.Errorf("it was added %d times", n)
		}
		other.close()
	})
}
