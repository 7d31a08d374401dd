// Package sandbox runs a WebAssembly module once under limits: checked, compiled once, instantiated afresh for each
// run, ended at its deadline, and told apart by what it came to. It knows no job, no schedule and no claim.
//
// # What a guest gets
//
// WASI preview 1 with its arguments, its variables, one stream in and two out, the real clocks and real randomness.
// No file, no socket, no variable of the host, and no other guest: instances are anonymous and share nothing. Beside that
// it may call what Config.Functions names and Run.Calls answers, through blocks of memory that count as its own.
//
// # What ends a run
//
// The guest itself, its trap, the end of its context, or the memory budget. The deadline of Run.Timeout begins right
// before instantiation, so the start section counts. Run returns when the guest is gone, and never panics. Which of
// these it was is decided by what this package did, never by the exit code, which a guest chooses as it likes.
//
// # How running code is stopped
//
// Before it is compiled, a module is rewritten (see package meter) so that it counts what it computes, its fuel, and the
// nesting of its calls, its stack. When a slice of about a millisecond is spent, the guest calls the host, which ends it,
// lets another guest have its turn, or grants the next slice. So the deadline holds for every shape of code, with loops or
// without, and the garbage collector never waits longer for a guest than a slice takes. Sleeping, reading, writing and
// drawing randomness are ended by this package. As many guests compute at a time as there are processors; the others wait
// for their turn, and die on time while they do.
//
// What cannot be ended is left behind: a call of the caller's own Reader or Writer that blocks, and has no Set*Deadline
// method, goes on in a goroutine of its own when the run is over.
//
// # Compiling
//
// A module is held against Config.Limits first. One that passes can still take minutes and gigabytes to compile, and the
// compiler cannot be interrupted, so Config.Compiler names a process for it, which is ended at Config.CompileTimeout, at
// Config.CompileMemory, with the context, and with this process; see CompileWorker. It fills the cache on disk, from
// which this process loads the result; what is there already needs no process. Without Config.Compiler, Compile works
// in this process, and looks at its context only before and after. Few modules are compiled at a time either way.
//
// # Memory
//
// A run has a limit of its own, above which memory.grow gives -1 to the guest. All runs that share a Budget are
// charged for the memory that backs their instances; one that would break the budget is killed. On Linux the memory of a
// guest lies outside of the Go heap and goes back to the system with the run, but for up to 4 MiB for each processor in
// all, which is cleared and used again; no run finds what another one left in it.
package sandbox
