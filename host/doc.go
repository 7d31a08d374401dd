// Package host is the scheduler's loop: it reads the clock, claims due slots, runs each as a sandboxed module on a goroutine of
// its own, and commits what it came to. It does not know where jobs come from (a [JobSource] says), nor how the ledger is stored.
//
// One goroutine, the loop, owns all scheduling state. Everything that may block runs outside it and posts its result back:
// claims and registrations, compiling, polling the ledger, recovery, and the runs themselves. A wedged guest, a slow disk or a
// held lock therefore delays nothing but itself.
//
// # Embedding
//
//	jobs := host.NewJobs()
//	h, err := host.New(host.Config{Store: store, Jobs: jobs})
//	jobs.Put(host.Job{Name: "hello", Module: host.Bytes(wasm), Schedule: "@every 1s"})
//	err = h.Run(ctx) // until ctx ends; leaves no goroutine behind
//
// # Simulation
//
// [Simulate] plays the same loop on a virtual clock, in the caller's goroutine and without running any guest: a year in seconds.
//
// # Compatibility
//
// The exported names of host, claims, schedule and sandbox follow semantic versioning from v1 on. Until then a minor version
// may change them, and CHANGELOG.md says how.
package host
