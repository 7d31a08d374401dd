package guest

import (
	"encoding/binary"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// What a Witness says of its run.
const (
	WitnessEnters = 'e'
	WitnessLives  = 'b'
	WitnessLeaves = 'l'
)

// WitnessTail is how much of the end of its run id a Witness tells.
const WitnessTail = 7

const runIDLen = 36

// Witness tells whoever stands behind its clock what it does: it asks for a sleep of which the nanoseconds are one of the letters
// above in the highest byte and the last WitnessTail characters of its run id in the others, the first of them lowest. So a clock that
// knows this hears from the guest itself when it enters, that it lives (so many times, at such a distance) and when it leaves, and
// returns at once. It exits with 0, and traps where WCRON_RUN_ID is not set.
func Witness(beats int, every time.Duration) []byte {
	p := newProgram("fd_write", "proc_exit", "environ_sizes_get", "environ_get", "poll_oneoff")
	write, getenv := p.writer(), p.getenv()
	const id, left = 0, 1
	const monotonic = 1
	const subscription, event, events = scratch + 64, scratch + 128, scratch + 192
	poll := asm.Cat(
		asm.I32(subscription), asm.I32(monotonic), asm.Store(16),
		asm.I32(subscription), asm.I32(event), asm.I32(1), asm.I32(events), p.call("poll_oneoff"), asm.If(asm.Unreachable))
	tell := func(letter int64) asm.Code {
		var code asm.Code
		for i := range uint32(WitnessTail) {
			code = asm.Cat(code, asm.I32(subscription), asm.Get(id), asm.Load8(runIDLen-WitnessTail+i), asm.Store8(24+i))
		}
		return asm.Cat(code, asm.I32(subscription), asm.I32(letter), asm.Store8(24+WitnessTail), poll)
	}
	return p.main([]asm.Type{i32, i32},
		p.text("WCRON_RUN_ID="), asm.Call(getenv), asm.Tee(id), asm.Eqz, asm.If(asm.Unreachable),
		tell(WitnessEnters),
		asm.I32(int64(beats)), asm.Set(left),
		asm.Block(asm.Loop(
			asm.Get(left), asm.Eqz, asm.BrIf(1),
			asm.I32(subscription), asm.I64(int64(every)), asm.Store64(24), poll,
			tell(WitnessLives),
			increase(left, -1),
			asm.Br(0))),
		asm.I32(stdout), p.text("acted\n"), asm.Call(write),
		tell(WitnessLeaves))
}

// Testimony reads a sleep that a Witness asks for. It is false for one that is a sleep.
func Testimony(d time.Duration) (letter byte, tail string, ok bool) {
	if d < 1<<(8*WitnessTail) {
		return 0, "", false
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(d))
	return b[WitnessTail], string(b[:WitnessTail]), true
}
