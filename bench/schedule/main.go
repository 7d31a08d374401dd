// Schedule sets Next beside that of other cron libraries, all in one run:
//
//	go run .
//
// Each figure is the fastest of several rounds in which the libraries take turns: what else the machine does only slows. It is a module of its own, so that the program does
// not depend on the libraries.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
	_ "time/tzdata"
)

// common are forms that people write.
var common = []string{
	"* * * * *", "*/5 * * * *", "0 * * * *", "0 3 * * *", "30 2 * * *", "0 9 * * MON-FRI", "0,30 8-18 * * *", "0 0 1 * *", "0 0 1,15 * *", "0 0 29 2 *",
	"*/10 * * * * *",
}

// worst are the slowest texts known, of those that can be due at all and of those that a zone keeps from it.
var worst = []string{
	"*/30 2 * 3 0#2", "59 59 23 31 12 * 2099", "0 0 */28 2 5#5", "* * 30 12 */7", "0 0 29 2 */7", "*/30 2 8-14 MAR *", "0 0 31 12 */7", "0 0 LW 2 5#5",
}

var zoneNames = []string{"UTC", "America/New_York", "Europe/Berlin"}

// starts are the arguments: spread over a year, so that no search is the same.
func starts(loc *time.Location) []time.Time {
	list := make([]time.Time, 64)
	for i := range list {
		list[i] = time.Unix(1_780_000_000+int64(i)*494_983, 0).In(loc)
	}
	return list
}

// speed is one text in one zone: nanoseconds of a call, by parser.
type speed struct {
	text, zone string
	ns         map[string]float64
}

// ratio is how many times faster than the fastest other one ours is.
func (s speed) ratio() (float64, string) {
	best, name := 0.0, ""
	for n, ns := range s.ns {
		if n != ours && (name == "" || ns < best) {
			best, name = ns, n
		}
	}
	return best / s.ns[ours], name
}

// measure times all parsers on a text in turn.
func measure(text, zone string, rounds int, slice time.Duration) (speed, error) {
	s := speed{text: text, zone: zone, ns: map[string]float64{}}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return s, err
	}
	from := starts(loc)
	compiled := map[string]next{}
	for _, p := range parsers() {
		if compiled[p.name], err = p.parse(text, loc); err != nil {
			return s, fmt.Errorf("%s: %q: %w", p.name, text, err)
		}
	}
	for range rounds {
		for _, p := range parsers() {
			f, calls, begin := compiled[p.name], 0, time.Now()
			for time.Since(begin) < slice {
				for _, at := range from {
					f(at)
				}
				calls += len(from)
			}
			ns := float64(time.Since(begin).Nanoseconds()) / float64(calls)
			if was, ok := s.ns[p.name]; !ok || ns < was {
				s.ns[p.name] = ns
			}
		}
	}
	return s, nil
}

// slowest is the longest call of ours for a text, the best of some tries each, over the starts in all zones.
func slowest(text string) (longest time.Duration, zone string, err error) {
	for _, name := range append(zoneNames, "Africa/Casablanca", "Australia/Lord_Howe", "America/Santiago") {
		loc, err := time.LoadLocation(name)
		if err != nil {
			return 0, "", err
		}
		f, err := parsers()[0].parse(text, loc)
		if err != nil {
			return 0, "", fmt.Errorf("%q: %w", text, err)
		}
		for _, at := range append(starts(loc), time.Unix(0, 0), time.Date(2008, 1, 1, 0, 0, 0, 0, loc)) {
			best := time.Hour
			for range 5 {
				begin := time.Now()
				f(at)
				best = min(best, time.Since(begin))
			}
			if best > longest {
				longest, zone = best, name
			}
		}
	}
	return longest, zone, nil
}

func report(w io.Writer, rounds int, slice time.Duration) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "zone\tschedule")
	for _, p := range parsers() {
		fmt.Fprintf(tw, "\t%s ns", p.name)
	}
	fmt.Fprintln(tw, "\tours to the fastest other")
	for _, zone := range zoneNames {
		for _, text := range common {
			s, err := measure(text, zone, rounds, slice)
			if err != nil {
				return err
			}
			fmt.Fprintf(tw, "%s\t%s", zone, text)
			for _, p := range parsers() {
				fmt.Fprintf(tw, "\t%.0f", s.ns[p.name])
			}
			ratio, name := s.ratio()
			fmt.Fprintf(tw, "\t%.1f times as fast as %s\n", ratio, name)
		}
	}
	fmt.Fprintln(tw, "\nzone\tworst schedules\tours, the slowest call")
	for _, text := range worst {
		longest, zone, err := slowest(text)
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", zone, text, longest)
	}
	return tw.Flush()
}

func main() {
	rounds := flag.Int("rounds", 9, "rounds of each figure")
	slice := flag.Duration("slice", 2*time.Millisecond, "time of a parser in a round")
	flag.Parse()
	if err := report(os.Stdout, *rounds, *slice); err != nil {
		fmt.Fprintln(os.Stderr, "schedule:", err)
		os.Exit(1)
	}
}
