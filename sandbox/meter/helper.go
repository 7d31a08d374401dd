package meter

import "fmt"

// helper names a function that metering adds: its kind, and what it works on.
type helper struct {
	kind helperKind
	a, b uint32 // tables, a segment, or a function
}

type helperKind byte

const (
	helpRefill     helperKind = iota // asks the host for the next slice
	helpWrapper                      // calls the imported function a
	helpMemoryGrow                   // and so on: the instruction, charged by its size
	helpMemoryFill
	helpMemoryCopy
	helpMemoryInit // from segment a
	helpTableGrow  // of table a
	helpTableFill  // of table a
	helpTableCopy  // to table a from b
	helpTableInit  // to table a from segment b
)

// What one bulk operation moves at most before the fuel is looked at again.
const (
	chunkFuel     = 8192
	bytesPerFuel  = 3 // as a shift: 8 bytes are one unit
	fuelPerPage   = 13
	fuelPerRef    = 1 // as a shift, for table.grow
	chunkMemory   = chunkFuel << bytesPerFuel
	chunkTable    = chunkFuel
	inlineBulkMax = 256 // a bulk operation of a constant size up to this many bytes stays as it is
)

// helper returns the index of a helper function, which is added if it is not there yet. Its body is written last, when
// everything that it refers to is known.
func (w *rewriter) helper(h helper) uint32 {
	i, found := w.helperIndex[h]
	if !found {
		i = uint32(len(w.functions) + 1 + len(w.helpers))
		w.helperIndex[h] = i
		w.helpers = append(w.helpers, h)
	}
	return i
}

func (w *rewriter) helperBody(h helper) (body code, typ uint32, name string) {
	i32 := func(n int) []byte { return []byte{typeI32, typeI32, typeI32, typeI32}[:n] }
	typeOf := w.typeOf
	memory := bulk{pages: true, unit: bytesPerFuel, chunk: chunkMemory}
	table := bulk{chunk: chunkTable}
	switch h.kind {
	case helpRefill:
		return w.refill(), w.typeOf(nil, nil), "refill"
	case helpWrapper:
		t := w.functions[h.a]
		return w.wrapper(h.a), t, fmt.Sprintf("import.%d", h.a)
	case helpMemoryGrow:
		grow := code{opMemoryGrow, 0}
		return w.grow([]byte{typeI32}, grow, fuelPerPage), typeOf(i32(1), i32(1)), "memory.grow"
	case helpMemoryFill:
		memory.op = code{opMisc, miscMemoryFill, 0}
		memory.sizes = []code{memorySize}
		return w.bulk(memory), typeOf(i32(3), nil), "memory.fill"
	case helpMemoryCopy:
		memory.op = code{opMisc, miscMemoryCopy, 0, 0}
		memory.sizes, memory.source, memory.both = []code{memorySize, memorySize}, true, true
		return w.bulk(memory), typeOf(i32(3), nil), "memory.copy"
	case helpMemoryInit:
		memory.op.misc(miscMemoryInit, h.a, 0)
		memory.sizes, memory.source = []code{memorySize, constant(w.data[h.a])}, true
		return w.bulk(memory), typeOf(i32(3), nil), "memory.init"
	case helpTableGrow:
		var grow code
		grow.misc(miscTableGrow, h.a)
		params := []byte{w.tables[h.a], typeI32}
		return w.grow(params, grow, fuelPerRef), typeOf(params, i32(1)), "table.grow"
	case helpTableFill:
		table.op.misc(miscTableFill, h.a)
		table.sizes = []code{tableSize(h.a)}
		return w.bulk(table), typeOf([]byte{typeI32, w.tables[h.a], typeI32}, nil), "table.fill"
	case helpTableCopy:
		table.op.misc(miscTableCopy, h.a, h.b)
		table.sizes, table.source, table.both = []code{tableSize(h.a), tableSize(h.b)}, true, true
		return w.bulk(table), typeOf(i32(3), nil), "table.copy"
	}
	table.op.misc(miscTableInit, h.b, h.a)
	table.sizes, table.source = []code{tableSize(h.a), constant(w.elementSizes[h.b])}, true
	return w.bulk(table), typeOf(i32(3), nil), "table.init"
}

var memorySize = code{opMemorySize, 0}

func tableSize(t uint32) (c code) { c.misc(miscTableSize, t); return c }
func constant(n int) (c code)     { c.i32(int32(uint32(n))); return c }

// misc appends an instruction behind opMisc with its indices.
func (c *code) misc(op uint32, indices ...uint32) {
	c.op(opMisc, op)
	for _, i := range indices {
		c.u32(i)
	}
}

// spend takes from the fuel what amount pushes as an i64.
func (w *rewriter) spend(c *code, amount code) {
	c.op(opGlobalGet, w.fuelGlobal())
	c.raw(amount...)
	c.raw(opI64Sub)
	c.op(opGlobalSet, w.fuelGlobal())
}

func units(n int64) (c code) { c.i64(n); return c }

// check asks for the next slice if this one is spent.
func (w *rewriter) check(c *code) {
	c.op(opGlobalGet, w.fuelGlobal())
	w.refillIfNegative(c)
}

// refillIfNegative calls the host if the popped i64 is below zero. That comes second: where the two ways meet, the
// engine's registers are as the first one leaves them, and all that the call takes is done on the second.
func (w *rewriter) refillIfNegative(c *code) {
	c.i64(0)
	c.raw(opI64GeS, opIf, opEmpty, opElse)
	c.op(opCall, w.helper(helper{kind: helpRefill}))
	c.raw(opEnd)
}

func (w *rewriter) refill() (c code) {
	c.raw(0) // locals
	c.op(opGlobalGet, w.fuelGlobal())
	c.op(opGlobalGet, w.stackGlobal())
	c.op(opCall, w.sliceIndex())
	c.op(opGlobalSet, w.fuelGlobal())
	c.raw(opEnd)
	return c
}

func (w *rewriter) wrapper(f uint32) (c code) {
	c.raw(0)
	w.spend(&c, units(costHostCall))
	w.check(&c)
	for i := range w.types[w.functions[f]].params {
		c.get(uint32(i))
	}
	c.op(opCall, f)
	c.raw(opEnd)
	return c
}

// grow runs an instruction that grows a memory or table by the last parameter, and charges for what it grew by. It runs
// in the host, which bounds it.
func (w *rewriter) grow(params []byte, op code, shift int64) (c code) {
	delta, result := uint32(len(params)-1), uint32(len(params))
	c.raw(1, 1, typeI32)
	for i := range params {
		c.get(uint32(i))
	}
	c.raw(op...)
	c.op(opLocalTee, result)
	c.i32(-1)
	c.raw(opI32Ne, opIf, opEmpty)
	var amount code
	amount.get(delta)
	amount.raw(opExtend)
	amount.i64(shift)
	amount.raw(opI64Shl)
	w.spend(&c, amount)
	w.check(&c)
	c.raw(opEnd)
	c.get(result)
	c.raw(opEnd)
	return c
}

// bulk describes an instruction that takes a destination, a source or a value, and a length.
type bulk struct {
	op     code
	pages  bool   // the first size is in pages of 64 KiB; with both, all are
	both   bool   // the second size is of the same kind as the first
	source bool   // its second parameter is a place, not a value
	sizes  []code // push the sizes of the destination and of the source
	unit   int64  // as a shift: how many items are one unit of fuel
	chunk  int32  // items
}

// bulk writes the function for a bulk operation. A short one is charged and done. So is one that lies out of bounds,
// since it traps before it writes. Any other is done chunk by chunk, in the direction in which an overlap does no harm.
func (w *rewriter) bulk(b bulk) (c code) {
	const dst, src, n = 0, 1, 2
	w.bulkWhole(&c, b)
	var amount, step code
	amount.get(n)
	amount.raw(opExtend)
	amount.i64(b.unit)
	amount.raw(opI64ShU)

	if b.both { // overlapping from below: the last chunk first
		c.get(src, dst)
		c.raw(0x49, opIf, opEmpty) // i32.lt_u
		step = nil
		step.get(n)
		step.i32(b.chunk)
		step.raw(opI32Sub)
		step.set(n)
		for _, place := range []uint32{dst, src} {
			step.get(place, n)
			step.raw(opI32Add)
		}
		step.i32(b.chunk)
		step.raw(b.op...)
		w.bulkLoop(&c, b, step)
		w.spend(&c, amount)
		c.get(dst, src, n)
		c.raw(b.op...)
		c.raw(opReturn, opEnd)
	}
	step = nil
	step.get(dst, src)
	step.i32(b.chunk)
	step.raw(b.op...)
	places := []uint32{dst}
	if b.source {
		places = append(places, src)
	}
	for _, place := range places {
		step.get(place)
		step.i32(b.chunk)
		step.raw(opI32Add)
		step.set(place)
	}
	step.get(n)
	step.i32(b.chunk)
	step.raw(opI32Sub)
	step.set(n)
	w.bulkLoop(&c, b, step)
	w.spend(&c, amount)
	c.get(dst, src, n)
	c.raw(b.op...)
	c.raw(opEnd)
	return c
}

// bulkWhole does what need not be split, and returns.
func (w *rewriter) bulkWhole(c *code, b bulk) {
	const dst, src, n = 0, 1, 2
	c.raw(0)
	c.get(n)
	c.i32(b.chunk)
	c.raw(opI32LeU, opIf, opEmpty)
	var amount code
	amount.get(n)
	amount.raw(opExtend)
	amount.i64(b.unit)
	amount.raw(opI64ShU)
	w.spend(c, amount)
	w.check(c)
	c.get(dst, src, n)
	c.raw(b.op...)
	c.raw(opReturn, opEnd)
	for i, size := range b.sizes {
		c.get(uint32(i))
		c.raw(opExtend)
		c.get(n)
		c.raw(opExtend, opI64Add)
		c.raw(size...)
		c.raw(opExtend)
		if b.pages && (i == 0 || b.both) {
			c.i64(16)
			c.raw(opI64Shl)
		}
		c.raw(opI64GtU)
		if i > 0 {
			c.raw(opI32Or)
		}
	}
	c.raw(opIf, opEmpty)
	c.get(dst, src, n)
	c.raw(b.op...)
	c.raw(opReturn, opEnd)
}

// bulkLoop repeats a step while more than one chunk is left.
func (w *rewriter) bulkLoop(c *code, b bulk, step code) {
	const n = 2
	c.raw(opLoop, opEmpty)
	w.spend(c, units(chunkFuel))
	w.check(c)
	c.raw(step...)
	c.get(n)
	c.i32(b.chunk)
	c.raw(opI32GtU)
	c.op(opBrIf, 0)
	c.raw(opEnd)
}
