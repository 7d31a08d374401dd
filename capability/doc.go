// Package capability is what a guest may call beside WASI: one guarded door through which state, HTTP, secrets, progress, other
// jobs and the embedder's own functions are reached. It does not know where state is kept, what a claim is, or how a call comes
// from the guest: it answers blocks of bytes with blocks of bytes.
//
// A call that cannot be served is an answer that the guest can handle, with a code and a sentence, never the end of its run; only
// Extism's var_set, which has no answer, traps. What was refused for want of a grant is told to people as well: see Door.Refusals.
//
// Clock, network and randomness come in through one seam each: sandbox.Config has the clocks and the randomness, Setup.HTTP is
// all that leaves the machine.
package capability
