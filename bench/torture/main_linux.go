// Command torture measures some processes of wcron serve on one state folder that are killed with SIGKILL at random moments and at
// named points, and stopped and continued. It exits with 1 when two guests of a job acted at the same time, a slot ran twice, an
// acknowledged commit is lost, a live run was recovered, a run read another state than the last ok run wrote, a slot is without a
// verdict, a claim of a dead owner is open, or the audit finds something; with 2 when the measurement could not be made. -kills 1000
// is the nightly form.
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
	kills := flag.Int("kills", 50, "how often to kill a host")
	hosts := flag.Int("hosts", 3, "how many hosts there are at a time")
	seed := flag.Uint64("seed", 0, "of the moments; 0: a new one")
	program := flag.String("wcron", "", "wcron, built with -tags wcron_torture; default: it is built, which takes the folder of the module")
	keep := flag.Bool("keep", false, "leave the folder, and tell where it is")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	for *seed == 0 {
		*seed = rand.Uint64()
	}

	f, err := bench.Torture(context.Background(), bench.TortureOptions{Kills: *kills, Hosts: *hosts, Seed: *seed, Program: *program, Keep: *keep})
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
