package guest

import (
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// What a Witness says of its run.
const (
	WitnessEnters = 'e'
	WitnessLives  = 'b'
	WitnessLeaves = 'l'
)

// RunIDLen is the length of a run id.
const RunIDLen = 36

// Witness tells whoever stands behind its source of randomness what it does: it asks for RunIDLen + 1 random bytes, into a place
// where its run id stands, followed by one of the letters above. A source that reads what it is given, and returns it unchanged,
// hears from the guest itself when it enters, that it lives (so many times, at such a distance) and when it leaves. It exits with
// 0, and traps where WCRON_RUN_ID is not set.
func Witness(beats int, every time.Duration) []byte {
	p := newProgram("fd_write", "proc_exit", "environ_sizes_get", "environ_get", "poll_oneoff", "random_get")
	write, getenv := p.writer(), p.getenv()
	const id, left = 0, 1
	const monotonic = 1
	const subscription, event, events = scratch + 64, scratch + 128, scratch + 192
	tell := func(letter int64) asm.Code {
		return asm.Cat(
			asm.Get(id), asm.I32(letter), asm.Store8(RunIDLen),
			asm.Get(id), asm.I32(RunIDLen+1), p.call("random_get"), asm.If(asm.Unreachable))
	}
	return p.main([]asm.Type{i32, i32},
		p.text("WCRON_RUN_ID="), asm.Call(getenv), asm.Tee(id), asm.Eqz, asm.If(asm.Unreachable),
		tell(WitnessEnters),
		asm.I32(int64(beats)), asm.Set(left),
		asm.Block(asm.Loop(
			asm.Get(left), asm.Eqz, asm.BrIf(1),
			asm.I32(subscription), asm.I32(monotonic), asm.Store(16),
			asm.I32(subscription), asm.I64(int64(every)), asm.Store64(24),
			asm.I32(subscription), asm.I32(event), asm.I32(1), asm.I32(events), p.call("poll_oneoff"), asm.If(asm.Unreachable),
			tell(WitnessLives),
			increase(left, -1),
			asm.Br(0))),
		asm.I32(stdout), p.text("acted\n"), asm.Call(write),
		tell(WitnessLeaves))
}
