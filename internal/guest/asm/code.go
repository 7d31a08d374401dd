package asm

import "encoding/binary"

// Code is a sequence of instructions.
type Code []byte

// Instructions without an operand.
var (
	Unreachable = Code{0x00}
	Return      = Code{0x0f}
	Drop        = Code{0x1a}
	Eqz         = Code{0x45}
	Eq          = Code{0x46}
	Ne          = Code{0x47}
	LtS         = Code{0x48}
	LtU         = Code{0x49}
	Add         = Code{0x6a}
	Sub         = Code{0x6b}
	Mul         = Code{0x6c}
	MemorySize  = Code{0x3f, 0x00}
	MemoryGrow  = Code{0x40, 0x00}
	MemoryFill  = Code{0xfc, 0x0b, 0x00}
)

// Cat joins pieces of code.
func Cat(parts ...Code) Code {
	var out Code
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// I32 pushes a 32-bit number; of a number above the range of int32 the low 32 bits count.
func I32(v int64) Code { return appendSleb(Code{0x41}, int64(int32(uint32(v)))) }

// I64 pushes a 64-bit number.
func I64(v int64) Code { return appendSleb(Code{0x42}, v) }

// Get pushes the local.
func Get(local uint32) Code { return withIndex(0x20, local) }

// Set pops the local.
func Set(local uint32) Code { return withIndex(0x21, local) }

// Tee sets the local and keeps the value on the stack.
func Tee(local uint32) Code { return withIndex(0x22, local) }

// Call calls the function of that index.
func Call(fn uint32) Code { return withIndex(0x10, fn) }

// Br leaves (or, of a loop, repeats) the block at that depth.
func Br(depth uint32) Code { return withIndex(0x0c, depth) }

// BrIf does as Br if the popped value is not 0.
func BrIf(depth uint32) Code { return withIndex(0x0d, depth) }

// Block wraps code in a block without parameters and results.
func Block(body ...Code) Code { return wrap(0x02, body) }

// Loop wraps code in a block that Br repeats.
func Loop(body ...Code) Code { return wrap(0x03, body) }

// If wraps code that runs if the popped value is not 0.
func If(body ...Code) Code { return wrap(0x04, body) }

// Load pushes the i32 at the popped address plus offset.
func Load(offset uint32) Code { return access(0x28, 2, offset) }

// Load8 pushes the byte at the popped address plus offset.
func Load8(offset uint32) Code { return access(0x2d, 0, offset) }

// Store keeps an i32 at the popped address plus offset.
func Store(offset uint32) Code { return access(0x36, 2, offset) }

// Store8 keeps the low byte of an i32 there.
func Store8(offset uint32) Code { return access(0x3a, 0, offset) }

// Store64 keeps an i64 there.
func Store64(offset uint32) Code { return access(0x37, 3, offset) }

func withIndex(op byte, n uint32) Code {
	return binary.AppendUvarint(Code{op}, uint64(n))
}

func access(op, align byte, offset uint32) Code {
	return binary.AppendUvarint(Code{op, align}, uint64(offset))
}

func wrap(op byte, body []Code) Code {
	const noResult, end = 0x40, 0x0b
	return Cat(Code{op, noResult}, Cat(body...), Code{end})
}

func appendSleb(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
