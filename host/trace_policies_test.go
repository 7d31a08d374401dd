package host

import (
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// TestTraceOfBacklog is the shortest trace: an hourly job whose host is away for a day.
func TestTraceOfBacklog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := privateDir(t)
		job := Job{Name: "hourly", Module: Bytes(guest.Echo()), Schedule: "0 * * * *"}
		first := launch(t, dir, nil, job)
		time.Sleep(90 * time.Minute)
		first.close()
		time.Sleep(24 * time.Hour)
		second := launch(t, dir, nil, job)
		time.Sleep(time.Hour)
		second.close()
		golden(t, "missed-once", first, second)
	})
}
