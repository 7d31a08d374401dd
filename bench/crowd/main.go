// Command crowd measures one host with many jobs that are due at the same instant, three of which misbehave. It exits with 1 when a
// slot of a healthy job did not start, the 99th percentile of start lateness reaches 250 ms, two runs of a job overlap, or the audit
// finds something; with 2 when the measurement could not be made.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/wcron/wcron/bench"
)

func main() {
	jobs := flag.Int("jobs", 50, "jobs due each second, three of which misbehave")
	d := flag.Duration("for", time.Minute, "how long to measure, in whole seconds")
	timeout := flag.Duration("timeout", 5*time.Second, "deadline of the jobs that misbehave")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()

	f, err := bench.Crowd(context.Background(), bench.CrowdOptions{Jobs: *jobs, For: *d, Timeout: *timeout})
	if err == nil {
		err = bench.Print(os.Stdout, f, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(f.Failed()) > 0 {
		os.Exit(1)
	}
}
