//go:build unix

// Command killed measures a host process that is killed with SIGKILL at random moments and started again. It exits with 1 when a run
// in flight at a kill was not recovered with evidence, a slot is without a verdict or double, two runs of a job overlap, or the audit
// finds something; with 2 when the measurement could not be made.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"

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
	kills := flag.Int("kills", 10, "how often to kill the host")
	seed := flag.Uint64("seed", 0, "of the moments; 0: a new one")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	for *seed == 0 {
		*seed = rand.Uint64()
	}

	f, err := bench.Killed(context.Background(), bench.KilledOptions{Kills: *kills, Seed: *seed})
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
