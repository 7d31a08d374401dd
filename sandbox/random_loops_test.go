package sandbox

import (
	"slices"

	"github.com/wcron/wcron/internal/guest/asm"
)

// labels are what can be branched to, the innermost last: whether a branch there carries a value.
type labels []bool

// tangle is a loop without calls, with branches in it from anywhere to anywhere: to its head and those of loops in it, out of
// blocks with values, through tables, and out of the function. Each head counts, so that it ends.
func (a *author) tangle() asm.Code {
	to := labels{false}
	return asm.Cat(asm.I32(int64(a.IntN(60))), asm.Set(counter), asm.Block(a.looped(3, to)))
}

// looped is a loop, with a value or without. The outermost label is where it ends when enough was counted.
func (a *author) looped(depth int, to labels) asm.Code {
	inside := append(slices.Clone(to), false)
	code := asm.Cat(
		asm.Get(counter), asm.I32(1), asm.Sub, asm.Tee(counter), asm.I32(0), asm.Code{0x4c}, asm.BrIf(uint32(len(inside)-1)),
		a.knot(depth, inside))
	if a.IntN(2) == 0 {
		return asm.Cat(asm.Code{0x03, 0x7f}, code, a.plain(), asm.Code{0x0b}, asm.Set(a.local()))
	}
	return asm.Loop(code)
}

// plain pushes an i32.
func (a *author) plain() asm.Code {
	return asm.Cat(asm.Get(a.local()), asm.I32(int64(a.IntN(8))), [...]asm.Code{asm.Add, asm.Sub, asm.Mul, {0x71}, {0x76}}[a.IntN(5)])
}

// jump branches, if the pushed number says so, and leaves nothing.
func (a *author) jump(to labels) asm.Code {
	depth := uint32(a.IntN(len(to)))
	if !to[len(to)-1-int(depth)] {
		return asm.Cat(a.plain(), asm.I32(1), asm.Code{0x71}, asm.BrIf(depth))
	}
	return asm.Cat(a.plain(), a.plain(), asm.I32(1), asm.Code{0x71}, asm.BrIf(depth), asm.Set(a.local()))
}

func (a *author) knot(depth int, to labels) asm.Code {
	var out asm.Code
	for range 1 + a.IntN(3) {
		out = append(out, a.strand(depth, to)...)
	}
	return out
}

func (a *author) strand(depth int, to labels) asm.Code {
	if depth == 0 {
		return asm.Cat(a.plain(), asm.Set(a.local()))
	}
	with := func(value bool) labels { return append(slices.Clone(to), value) }
	switch a.IntN(10) {
	case 0, 1:
		return a.jump(to)
	case 2:
		return asm.Block(a.knot(depth-1, with(false)))
	case 3:
		return asm.Cat(asm.Code{0x02, 0x7f}, a.knot(depth-1, with(true)), a.plain(), asm.Code{0x0b}, asm.Set(a.local()))
	case 4:
		return asm.Cat(a.plain(), asm.Code{0x04, 0x40}, a.knot(depth-1, with(false)), asm.Code{0x05}, a.knot(depth-1, with(false)), asm.Code{0x0b})
	case 5:
		var table asm.Code
		n := 0
		for depth := range len(to) + 1 {
			if inside := with(false); !inside[len(inside)-1-depth] && a.IntN(2) == 0 {
				table = append(table, byte(depth))
				n++
			}
		}
		return asm.Block(a.plain(), asm.I32(7), asm.Code{0x71}, asm.Code{0x0e, byte(n)}, table, asm.Code{0})
	case 6:
		return asm.Cat(a.plain(), asm.I32(31), asm.Code{0x71}, asm.Eqz, asm.If(a.plain(), asm.Return))
	case 7:
		return a.looped(depth-1, to)
	case 8:
		return asm.Cat(a.plain(), asm.I32(0xffff), asm.Code{0x71}, a.plain(), asm.Store(0))
	}
	return asm.Cat(a.plain(), asm.Set(a.local()))
}
