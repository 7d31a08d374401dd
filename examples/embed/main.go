// Command embed has the scheduler inside a program of its own: jobs are values that come, change and go while it runs.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wcron/wcron/claims/sqlitestore"
	"github.com/wcron/wcron/host"
)

func main() {
	tell := func(e host.Event) { fmt.Printf("%s %s %s %s%s\n", e.Kind, e.Job, e.Outcome, e.Reason, e.Output) }
	if err := run(context.Background(), "state", tell); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, tell func(host.Event)) error {
	store, err := sqlitestore.Open(ctx, sqlitestore.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // what has ended is durable by then
	jobs := host.NewJobs(echo("tick", "first"))
	h, err := host.New(host.Config{Store: store, Jobs: jobs, OnEvent: tell})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, 7500*time.Millisecond)
	defer stop()
	time.AfterFunc(2500*time.Millisecond, func() { jobs.Put(echo("tick", "changed")) })
	time.AfterFunc(3500*time.Millisecond, func() { jobs.Put(echo("tock", "added")) })
	time.AfterFunc(5500*time.Millisecond, func() { jobs.Remove("tick") })
	return h.Run(ctx)
}
