// Package jobtest runs the jobs of a plugin folder through the whole host, for tests: configuration, plugins, ledger, sandbox and
// recorded output. It does not know what a job does.
//
//	h := jobtest.Start(t, folder, "")
//	run := h.Run("report", `{"mode":"full"}`)
//
// All functions end the test on an error. A Host belongs to the goroutine of its test.
package jobtest
