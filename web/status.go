package web

import (
	"time"

	"github.com/wcron/wcron/admin"
)

// status is the line on top of each page.
type status struct {
	AsOf     *moment
	Zone     string
	Instance string
	Load     []string // how busy the host is
	NotReady []string // why it could start no run now
	Hosts    []hostLine
	More     int // hosts that are not shown
}

type hostLine struct {
	Instance, Machine, Version, Up string
	PID                            int
	Runs                           int
	This                           bool // the one that answers
	Reason                         string
}

// maxHosts is how many hosts a page lists.
const maxHosts = 10

// clock is the present time, in the zone of the host file.
func (d *dashboard) clock(s admin.Status) clock {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil || s.Timezone == "" {
		zone = time.UTC
	}
	return clock{d.Now(), zone}
}

// statusOf says who works on the ledger.
func statusOf(s admin.Status, c clock) *status {
	out := &status{AsOf: c.at(c.now), Zone: clip(s.Timezone), Instance: text(s.Instance)}
	for _, why := range s.NotReady {
		out.NotReady = append(out.NotReady, clip(why))
	}
	if s.Load != nil {
		out.Load = loadTexts(*s.Load)
	}
	for i, h := range s.Hosts {
		if i == maxHosts {
			out.More = len(s.Hosts) - maxHosts
			break
		}
		out.Hosts = append(out.Hosts, hostLine{
			Instance: clip(h.Instance), PID: h.PID, Machine: clip(h.Machine), Version: clip(h.Version), Up: c.since(h.StartedAt), Runs: h.Running,
			This: s.Instance != nil && h.Instance == *s.Instance, Reason: text(h.Reason),
		})
	}
	return out
}

// loadTexts says how busy a host is.
func loadTexts(l admin.Load) (list []string) {
	runs := plural(int64(l.Running), "run")
	if l.MaxRuns > 0 {
		runs = plural(int64(l.MaxRuns), "run slot") + ", " + plural(int64(l.Running), "run")
	}
	list = append(list, runs)
	if l.MemoryBudgetBytes > 0 {
		list = append(list, "guests hold "+bytesText(l.MemoryBytes)+" of "+bytesText(l.MemoryBudgetBytes))
	}
	if l.LockWaits > 0 {
		list = append(list, "waited "+plural(l.LockWaits, "time")+" for the ledger's lock, "+span(time.Duration(l.LockWaitMS)*time.Millisecond)+" in all")
	} else {
		list = append(list, "never waited for the ledger's lock")
	}
	if l.Draining {
		list = append(list, "draining: it starts nothing more")
	}
	return list
}
