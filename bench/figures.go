package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wcron/wcron/claims"
)

// Quantiles of a set of durations, in milliseconds: the ledger's precision.
type Quantiles struct {
	N   int   `json:"n"`
	P50 int64 `json:"p50_ms"`
	P90 int64 `json:"p90_ms"`
	P99 int64 `json:"p99_ms"`
	Max int64 `json:"max_ms"`
}

// quantiles takes the nearest rank: each figure is one that was measured.
func quantiles(of []time.Duration) Quantiles {
	if len(of) == 0 {
		return Quantiles{}
	}
	sorted := slices.Sorted(slices.Values(of))
	at := func(q float64) int64 {
		return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)].Milliseconds()
	}
	return Quantiles{N: len(sorted), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: sorted[len(sorted)-1].Milliseconds()}
}

// String returns the quantiles as one line for people.
func (q Quantiles) String() string {
	return fmt.Sprintf("p50 %d, p90 %d, p99 %d, max %d ms (n = %d)", q.P50, q.P90, q.P99, q.Max, q.N)
}

// Machine says under which conditions the figures were taken.
type Machine struct {
	CPUs       int    `json:"cpus"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	LoadBefore string `json:"load_before"` // the three load averages; empty where the platform does not tell
	LoadAfter  string `json:"load_after"`
}

func newMachine() Machine {
	return Machine{
		CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, LoadBefore: loadAverage(),
	}
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func (m Machine) rows() [][]string {
	rows := [][]string{{"machine", fmt.Sprintf("%d cpus, %s, %s", m.CPUs, m.Platform, m.Go)}}
	if m.LoadBefore != "" {
		rows = append(rows, []string{"load average before", m.LoadBefore}, []string{"load average after", m.LoadAfter})
	}
	return rows
}

// Figures is what a measurement gives.
type Figures interface {
	// rows is the table, line by line.
	rows() [][]string
	// Failed lists what broke a bound; empty: all held.
	Failed() []string
}

// Print writes the figures as a table, or as one JSON object. What broke a bound comes last in the table, one line each.
func Print(w io.Writer, f Figures, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(f)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range f.rows() {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, why := range f.Failed() {
		fmt.Fprintln(w, "FAILED:", why)
	}
	return nil
}

func number(n int) string { return fmt.Sprint(n) }

// reasonRows lists why slots did not start, the most frequent reason first.
func reasonRows(t Tally) [][]string {
	keys := slices.SortedFunc(maps.Keys(t.Reasons), func(a, b string) int {
		if t.Reasons[a] != t.Reasons[b] {
			return t.Reasons[b] - t.Reasons[a]
		}
		return strings.Compare(a, b)
	})
	var rows [][]string
	for _, k := range keys {
		rows = append(rows, []string{"    " + k, number(t.Reasons[k])})
	}
	return rows
}

// troubleRows shows the first few of what troubled a host.
func troubleRows(name string, list []string) [][]string {
	rows := [][]string{{name, number(len(list))}}
	for _, s := range list[:min(5, len(list))] {
		rows = append(rows, []string{"    " + s})
	}
	return rows
}

func findingTexts(findings []claims.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s: job %s slot %s run %s: %s", f.Code, f.Job, f.Slot, f.RunID, f.What))
	}
	return out
}

// sound lists what holds for every measurement: no overlap, a clean audit, nothing left open.
func sound(overlaps, findings []string, open int) []string {
	var failed []string
	if n := len(overlaps); n > 0 {
		failed = append(failed, fmt.Sprintf("%d overlaps, the first: %s", n, overlaps[0]))
	}
	if n := len(findings); n > 0 {
		failed = append(failed, fmt.Sprintf("%d audit findings, the first: %s", n, findings[0]))
	}
	if open > 0 {
		failed = append(failed, fmt.Sprintf("%d claims are open although all hosts have ended", open))
	}
	return failed
}
