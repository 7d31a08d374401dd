package host_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/host"
)

// What becomes of a job each of whose runs takes longer than the time to its next slot.
func ExampleSimulate() {
	err := host.Simulate(context.Background(), host.Simulation{
		Jobs:  []host.Job{{Name: "report", Schedule: "0 * * * *", Timezone: "Europe/Berlin", Timeout: 2 * time.Hour}},
		Store: memstore.New(memstore.Config{Keep: 100}),
		From:  time.Date(2026, 3, 1, 6, 30, 0, 0, time.UTC),
		To:    time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
		Guest: func(host.SimulatedRun) host.SimulatedEnd { return host.SimulatedEnd{Took: 70 * time.Minute} },
		OnEvent: func(e host.Event) {
			switch e.Kind {
			case host.Started, host.EndedRun, host.SlotSkipped, host.SlotMissed:
				fmt.Println(e.Time.Format("15:04"), e.Kind, e.Slot.ID)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 07:00 started report@2026-03-01T07:00:00Z
	// 08:00 skipped report@2026-03-01T08:00:00Z
	// 08:10 ended report@2026-03-01T07:00:00Z
	// 09:00 started report@2026-03-01T09:00:00Z
	// 10:10 ended report@2026-03-01T09:00:00Z
}
