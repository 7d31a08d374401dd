// Package meter looks at the bytes of a WebAssembly module before any engine does: it checks their shape against
// limits, says what the module imports, exports and needs, and reads and writes its custom sections. It knows nothing
// of engines, files or jobs: bytes go in, values come out.
//
// An engine sizes its tables by counts that stand in the file, so a file of fifteen bytes can ask for hundreds of
// gigabytes, and running out of memory cannot be recovered from. Check makes sure that every count is backed by bytes
// and lies within the limits, whatever the bytes are. It decodes sections and the headers of functions; that
// the instructions are valid is left to the engine.
//
// All functions can be called concurrently, and none of them keeps or changes the bytes given to it.
package meter
