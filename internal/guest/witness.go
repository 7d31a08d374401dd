package guest

import (
	"fmt"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// What a Witness says of its run.
const (
	WitnessEnters = 'e'
	WitnessBy     = 'y' // whose state it has read: the end of a run id, zeros if there is none
	WitnessCount  = 'c' // and which count: the end of its digits
	WitnessWrote  = 'w' // the count that it has written
	WitnessLives  = 'b'
	WitnessLeaves = 'l'
)

// WitnessTail is how much of the end of a run id, and of a count, a Witness tells.
const WitnessTail = 7

// WitnessFails is the first hexadecimal digit of which a Witness whose run id ends with a lower one fails.
const WitnessFails = '4'

// Witness counts as a Counter does, and tells whoever stands behind its clock what it does: it asks for a sleep of which the
// nanoseconds are one of the letters above in the highest byte, then the last WitnessTail hexadecimal digits of its run id, then as
// many of what it tells. So a clock that knows this hears from the guest itself when it enters, what it has read of its state and
// written, that it lives (so many times, at such a distance) and when it leaves, and returns at once. It exits with 0, or with 1
// where its run id says so: see WitnessFails.
func Witness(beats int, every time.Duration) []byte {
	p := newProgram("fd_write", "proc_exit", "environ_sizes_get", "environ_get", "poll_oneoff")
	p.pages = 3
	p.importState()
	write, nibbles := p.writer(), p.nibbles()
	know, count, wrote := p.counter()
	const left = 0
	const subscription = scratch + 64
	poll := p.poll(subscription)
	shl, or := asm.Code{0x86}, asm.Code{0x84}
	tell := func(letter, value int64) asm.Code {
		return asm.Cat(asm.I32(subscription), asm.I64(letter<<(8*WitnessTail)),
			asm.I32(runHex+hexLen-WitnessTail), asm.Call(nibbles), asm.I64(4*WitnessTail), shl, or,
			asm.I32(value), asm.Call(nibbles), or, asm.Store64(24), poll)
	}
	const zeros = 608
	p.Data(zeros, []byte("0000000"))
	return p.main([]asm.Type{i32},
		asm.Call(know),
		tell(WitnessEnters, zeros),
		asm.Call(count),
		tell(WitnessBy, readBy+hexLen-WitnessTail), tell(WitnessCount, readN+nLen-WitnessTail), tell(WitnessWrote, wrote+nLen-WitnessTail),
		asm.I32(int64(beats)), asm.Set(left),
		asm.Block(asm.Loop(
			asm.Get(left), asm.Eqz, asm.BrIf(1),
			asm.I32(subscription), asm.I64(int64(every)), asm.Store64(24), poll,
			tell(WitnessLives, zeros),
			increase(left, -1),
			asm.Br(0))),
		asm.I32(stdout), p.text("acted\n"), asm.Call(write),
		tell(WitnessLeaves, zeros),
		asm.I32(runHex), asm.Load8(hexLen-1), asm.I32(WitnessFails), asm.LtU, asm.If(asm.I32(1), p.call("proc_exit")))
}

// nibbles adds the function nibbles(address), which is the number that WitnessTail hexadecimal digits make.
func (p *program) nibbles() uint32 {
	const at, end, sum, digit = 0, 1, 2, 3
	shl, or, extend := asm.Code{0x86}, asm.Code{0x84}, asm.Code{0xad}
	and, shr := asm.Code{0x71}, asm.Code{0x76}
	return p.Func([]asm.Type{i32}, []asm.Type{i64}, []asm.Type{i32, i64, i32},
		asm.Get(at), asm.I32(WitnessTail), asm.Add, asm.Set(end),
		asm.Block(asm.Loop(
			asm.Get(at), asm.Get(end), asm.Eq, asm.BrIf(1),
			asm.Get(at), asm.Load8(0), asm.Set(digit),
			asm.Get(sum), asm.I64(4), shl,
			asm.Get(digit), asm.I32(15), and, asm.Get(digit), asm.I32(6), shr, asm.I32(9), asm.Mul, asm.Add, extend, or, asm.Set(sum),
			increase(at, 1),
			asm.Br(0))),
		asm.Get(sum))
}

// Testimony reads a sleep that a Witness asks for: what it says, the end of its run id, and of what it tells. It is false for one
// that is a sleep.
func Testimony(d time.Duration) (letter byte, tail, value string, ok bool) {
	if d < 1<<(8*WitnessTail) {
		return 0, "", "", false
	}
	const digits = 1<<(4*WitnessTail) - 1
	n := int64(d)
	return byte(n >> (8 * WitnessTail)), fmt.Sprintf("%07x", n>>(4*WitnessTail)&digits), fmt.Sprintf("%07x", n&digits), true
}
