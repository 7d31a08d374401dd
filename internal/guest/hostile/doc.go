// Package hostile is a corpus of WebAssembly modules that try to outlive their deadline, to freeze or exhaust their
// host, to pass one ending off as another, or to reach what is not theirs; each with what must become of it. It knows
// nothing of how a module is run. `go run ./sandbox/testdata/hostile DIR` writes the modules to files.
//
// All shapes can be made concurrently.
package hostile
