// Command twohosts measures two host processes that share one state folder. It exits with 1 when a slot had no run or more than one,
// two runs of a job overlap, or the audit finds something; with 2 when the measurement could not be made.
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
	if worker, err := bench.Work(context.Background()); worker {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	jobs := flag.Int("jobs", 20, "jobs due each second")
	d := flag.Duration("for", time.Minute, "how long to measure, in whole seconds")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()

	f, err := bench.TwoHosts(context.Background(), bench.TwoHostsOptions{Jobs: *jobs, For: *d})
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
