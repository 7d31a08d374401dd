package meter

// operand says what stands behind the opcode of an instruction that does nothing but pop, compute and push.
type operand byte

const (
	unknown  operand = iota // not an instruction of this kind
	none                    // nothing
	memarg                  // alignment and offset
	constI32                // a signed number of 32 bits
	constI64                // one of 64 bits
	bytes4                  // a float
	bytes8                  // a double
	bytes16                 // a vector, or 16 lanes
	lane                    // one lane
	memLane                 // alignment, offset and one lane
)

// instr is such an instruction: its operand, how many values it takes and gives, and the fuel that it costs.
type instr struct {
	operand     operand
	pops, gives byte
	cost        byte
}

// Fuel by instruction. One unit is about what a simple instruction takes; a slice of a million is about a millisecond.
const (
	costSimple   = 1
	costMemory   = 2
	costSlow     = 8 // division, square root and the like
	costVector   = 2
	costCall     = 20
	costIndirect = 24
	costHostCall = 300 // the crossing; what the host does there is its own to bound
	costGrow     = 500 // a crossing as well
	costHelper   = 20  // a bulk operation, besides what it moves
)

// The opcodes that the walker treats one by one.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd
)

// The instructions behind opMisc.
const (
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// plain holds the instructions of one byte.
var plain = func() (t [256]instr) {
	set := func(from, to int, i instr) {
		for op := from; op <= to; op++ {
			t[op] = i
		}
	}
	t[0x01] = instr{none, 0, 0, costSimple}            // nop
	t[0x1a] = instr{none, 1, 0, costSimple}            // drop
	t[0x1b] = instr{none, 3, 1, costSimple}            // select
	set(0x28, 0x35, instr{memarg, 1, 1, costMemory})   // loads
	set(0x36, 0x3e, instr{memarg, 2, 0, costMemory})   // stores
	t[opI32Const] = instr{constI32, 0, 1, costSimple}  //
	t[opI64Const] = instr{constI64, 0, 1, costSimple}  //
	t[0x43] = instr{bytes4, 0, 1, costSimple}          // f32.const
	t[0x44] = instr{bytes8, 0, 1, costSimple}          // f64.const
	set(0x46, 0x66, instr{none, 2, 1, costSimple})     // comparisons
	t[0x45] = instr{none, 1, 1, costSimple}            // i32.eqz
	t[0x50] = instr{none, 1, 1, costSimple}            // i64.eqz
	set(0x67, 0x69, instr{none, 1, 1, costSimple})     // i32.clz, ctz, popcnt
	set(0x6a, 0x78, instr{none, 2, 1, costSimple})     // i32 arithmetic
	set(0x79, 0x7b, instr{none, 1, 1, costSimple})     // i64.clz, ctz, popcnt
	set(0x7c, 0x8a, instr{none, 2, 1, costSimple})     // i64 arithmetic
	set(0x8b, 0x91, instr{none, 1, 1, costSimple})     // f32, one operand
	set(0x92, 0x98, instr{none, 2, 1, costSimple})     // f32, two operands
	set(0x99, 0x9f, instr{none, 1, 1, costSimple})     // f64, one operand
	set(0xa0, 0xa6, instr{none, 2, 1, costSimple})     // f64, two operands
	set(0xa7, 0xc4, instr{none, 1, 1, costSimple})     // conversions, sign extension
	t[0xd1] = instr{none, 1, 1, costSimple}            // ref.is_null
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} { // float square roots and divisions
		t[op].cost = costSlow
	}
	for _, first := range []int{0x6d, 0x7f} { // integer divisions and remainders
		for op := first; op < first+4; op++ {
			t[op].cost = costSlow
		}
	}
	return t
}()

// vectors holds the instructions behind opVector.
var vectors = func() (t [256]instr) {
	set := func(from, to int, o operand, pops, gives byte) {
		for op := from; op <= to; op++ {
			t[op] = instr{o, pops, gives, costVector}
		}
	}
	set(0x00, 0x0a, memarg, 1, 1)  // loads
	set(0x0b, 0x0b, memarg, 2, 0)  // store
	set(0x0c, 0x0c, bytes16, 0, 1) // const
	set(0x0d, 0x0d, bytes16, 2, 1) // shuffle
	set(0x0e, 0x0e, none, 2, 1)    // swizzle
	set(0x0f, 0x14, none, 1, 1)    // splat
	for op := 0x15; op <= 0x22; op++ {
		set(op, op, lane, 1, 1) // extract_lane
	}
	for _, op := range []int{0x17, 0x1a, 0x1c, 0x1e, 0x20, 0x22} {
		set(op, op, lane, 2, 1) // replace_lane
	}
	set(0x23, 0x4c, none, 2, 1) // comparisons
	set(0x4d, 0x4d, none, 1, 1) // not
	set(0x4e, 0x51, none, 2, 1) // and, andnot, or, xor
	set(0x52, 0x52, none, 3, 1) // bitselect
	set(0x53, 0x53, none, 1, 1) // any_true
	set(0x54, 0x57, memLane, 2, 1)
	set(0x58, 0x5b, memLane, 2, 0)
	set(0x5c, 0x5d, memarg, 1, 1)
	set(0x5e, 0xff, none, 2, 1)
	for _, op := range []int{0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6a, 0x74, 0x75, 0x7a,
		0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x83, 0x84, 0x87, 0x88, 0x89, 0x8a, 0x94, 0xa0, 0xa1, 0xa3, 0xa4, 0xa7, 0xa8,
		0xa9, 0xaa, 0xc0, 0xc1, 0xc3, 0xc4, 0xc7, 0xc8, 0xc9, 0xca, 0xe0, 0xe1, 0xe3, 0xec, 0xed, 0xef,
		0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff} {
		set(op, op, none, 1, 1)
	}
	for _, op := range []int{0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0,
		0xd2, 0xd3, 0xd4, 0xe2, 0xee} {
		t[op] = instr{}
	}
	for _, op := range []int{0xe3, 0xe7, 0xef, 0xf3} { // square roots and divisions
		t[op].cost = 2 * costSlow
	}
	return t
}()
