// Package capability is what a guest may call beside WASI: so far its job's state. It does not know where state is kept, what a
// claim is, or how a call comes from the guest: it answers blocks of bytes with blocks of bytes.
//
// A call that cannot be served is an answer that the guest can handle, with a code and a sentence, never the end of its run.
package capability
