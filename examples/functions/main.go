// Command functions gives its jobs a function of its own: what a product costs, by the program's own list. Only the job that is
// granted the function gets an answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
)

// prices is what the program knows and its guests do not.
var prices = map[string]string{"A1": "19.90", "B2": "4.50"}

// priceOf answers a guest that asks for a price. Its error is a value for the guest.
func priceOf(_ context.Context, _ capability.RunInfo, args [][]byte) ([]byte, error) {
	price, ok := prices[string(args[0])]
	if !ok {
		return nil, errors.New("there is no such product")
	}
	return []byte(price), nil
}

func main() {
	tell := func(e host.Event) {
		if e.Kind == host.EndedRun || e.Kind == host.GuestRefused {
			fmt.Printf("%s %s %s%s\n", e.Job, e.Kind, e.Reason, e.Output)
		}
	}
	if err := run(context.Background(), "state", tell); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, tell func(host.Event)) error {
	store, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // what has ended is durable by then
	module := host.Bytes(buyer())
	h, err := host.New(host.Config{
		Store: store, OnEvent: tell,
		Functions: []capability.Function{{Name: "price_of", Params: 1, Call: priceOf}},
		Jobs: host.NewJobs(
			host.Job{Name: "buyer", Module: module, Schedule: "@every 1s", Grants: capability.Grants{Calls: []string{"price_of"}}},
			host.Job{Name: "stranger", Module: module, Schedule: "@every 1s"},
		),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, 2500*time.Millisecond)
	defer stop()
	return h.Run(ctx)
}
