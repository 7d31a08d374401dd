// Command start measures how long a guest takes from its start to its end when it has nothing to do, beside a process that has nothing
// to do, in one run. It exits with 2 when the measurement could not be made.
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
	rounds := flag.Int("rounds", 10, "how often everything is measured in turn")
	d := flag.Duration("for", 300*time.Millisecond, "how long each measurement takes in a round")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()

	f, err := bench.Start(context.Background(), bench.StartOptions{Rounds: *rounds, For: *d})
	if err == nil {
		err = bench.Print(os.Stdout, f, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
