// Package guest makes small WebAssembly programs for WASI preview 1 without any toolchain: the ones that
// `wcron init` and `wcron demo` put into a plugin folder, and well-behaved, failing and hostile ones for tests.
// It knows nothing of how a module is run.
//
// Each function returns the bytes of a module. All of them can be called concurrently.
package guest
