// Command metering measures what metering costs guests that compute, beside the bare engine and the engine's own check, in one run. It
// exits with 1 when it costs more than it may, with 2 when the measurement could not be made.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/wcron/wcron/bench"
)

func main() {
	rounds := flag.Int("rounds", 9, "how often each guest runs in each way")
	languages := flag.String("languages", "", "of the guests, with commas between; empty stands for all")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()

	o := bench.MeteringOptions{Rounds: *rounds}
	if *languages != "" {
		o.Languages = strings.Split(*languages, ",")
	}
	f, err := bench.Metering(context.Background(), o)
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
