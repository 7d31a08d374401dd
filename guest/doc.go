// Package guest is for jobs in Go: what wcron tells a run and lets it do, as Go functions. It needs stock Go alone, imports nothing
// but the standard library, and does not know what the operator has granted: what is not granted is an [Error] with a sentence.
//
//	func main() {
//		event, err := guest.ReadEvent(os.Stdin)
//		…
//	}
//
// A job that uses it is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -o job.wasm .
//
// A module imports of the host what its code reaches, and no more: only a job that calls [Emit] has to request emit in its manifest,
// and only one that calls [Fetch], or package guesthttp, has to request http. All else here is free for every job.
//
// Built for any other platform, everything compiles, so that the rest of a job can be tested, and each call answers with
// [ErrOutside]; only [ReadEvent] and [Event.Decode] work everywhere. A job that wants its calls tested there as well passes them to its
// logic as functions or small interfaces of its own.
//
// The functions may be called from several goroutines. Each call stops the whole guest until the host has answered, and ends with
// the run at its deadline.
package guest
