package metrics

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
)

// Every metric that there is stands in docs/operations.md with its type, and no other does.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(wcron_[a-z_]+)` \\| (counter|gauge|histogram) \\| [^|]+ \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(page), -1) {
		told[row[1]] = row[2]
	}
	if n := strings.Count(string(page), "\n| `wcron_"); n != len(told) {
		t.Errorf("%d rows, of which %d can be read", n, len(told))
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Dir: t.TempDir() + "/state"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		m := New()
		for _, k := range []host.EventKind{host.Started, host.EndedRun, host.LateResult, host.SlotSkipped, host.SlotMissed, host.Recovered,
			host.JobDisabled, host.TickFailed, host.Stalled, host.LockWait, host.Lost} {
			m.Observe(host.Event{Kind: k, Job: "a", Outcome: claims.OK, Duration: time.Second, Policy: claims.ByMissed})
		}
		h, err := host.New(host.Config{Store: s, Jobs: host.NewJobs()})
		if err != nil {
			t.Fatal(err)
		}
		m.Watch(h)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		types := regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(text(t, m), -1)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for _, f := range types {
			if told[f[1]] != f[2] {
				t.Errorf("%s is a %s, and the page says %q", f[1], f[2], told[f[1]])
			}
			delete(told, f[1])
		}
		if len(told) > 0 {
			t.Errorf("the page has metrics that are none: %v", told)
		}
	})
}
