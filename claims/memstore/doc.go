// Package memstore is a ledger in memory: a [claims.Store] that keeps every rule of the contract but one, that what is written outlives
// the process. It serves simulations, tests, and programs that want their embedded host without a state folder in their own tests. It
// is no place for jobs that matter.
//
//	store := memstore.New(memstore.Config{})
//	h, err := host.New(host.Config{Store: store, Jobs: jobs})
//
// [Store.Again] opens the same ledger a second time, with locks of its own, as a second process would: closing one opening frees its
// locks and leaves its owners dead, so that a crash can be played within one process.
//
// There is another ledger in memory, the Model of package claimstest. That one is the oracle which engines are compared with: the rules in
// their plainest form, and slow, since each answer is looked for in lists. This one is an engine: indexed and bounded, so that a year of a
// simulation takes seconds, and held to the oracle by the same suite as the embedded engine.
//
// What it holds grows with the history, unless Config.Keep bounds it or Prune is called.
package memstore
