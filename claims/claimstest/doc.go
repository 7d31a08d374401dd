// Package claimstest holds what every engine behind claims.Store is tested with: a conformance suite, a plain model in memory to
// compare an engine with, and a store that fails on demand. It does not know how an engine stores a row, nor which process runs
// the suite: what only a second process can show is left to the engine's own tests.
//
// An engine's test opens new, empty stores for it:
//
//	func TestConformance(t *testing.T) {
//		claimstest.Harness{
//			Open:  func(t *testing.T) claims.Store { … },
//			Again: func(t *testing.T, s claims.Store) claims.Store { … },
//		}.Run(t)
//	}
//
// Each scenario ends with claims.Audit, which must find nothing. Random scenarios print their seed; set CLAIMSTEST_SEED to repeat
// one, and CLAIMSTEST_STEPS for longer ones (default 2000).
package claimstest
