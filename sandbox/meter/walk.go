package meter

// frame is a block, loop, if or function body that the walk is in.
type frame struct {
	op              byte
	params, results int  // values taken and given
	base            int  // operands below it
	dead            bool // what follows cannot be reached
	cold            bool // nothing in it can be
	reach           int  // the outermost frame that something in it branches to the end of
	before          state
	loop            int // the loop that it is or is in, or noLoop
}

// label is how many values a branch to the frame carries.
func (f *frame) label() int {
	if f.op == opLoop {
		return f.params
	}
	return f.results
}

// walk goes through the instructions of one function: it follows the height of the operand stack, checks every index
// against the module as it came, and notes what to charge where and what to change.
type walk struct {
	*rewriter
	r       *reader
	locals  int
	results int
	ctl     []frame
	height  int
	highest int
	wide    bool // it uses vectors, whose operands take twice the space
	calls   bool // it calls what may call it

	constant    int64 // pushed by the i32.const that ended at constantEnd
	constantEnd int

	meterage
}

func (w *walk) top() *frame { return &w.ctl[len(w.ctl)-1] }

func (w *walk) push(n int) {
	w.height += n
	w.highest = max(w.highest, w.height)
}

func (w *walk) pop(at, n int) {
	f := w.top()
	if w.height-n >= f.base {
		w.height -= n
		return
	}
	if !f.dead {
		w.r.fail(at, "the instruction needs %d operands, and %d are there", n, w.height-f.base)
	}
	w.height = f.base
}

// pass counts the values that an instruction hands over as a whole: an engine looks at each of them.
func (w *walk) pass(at, n int) {
	if w.passed += int64(n); w.passed > w.lim.Operands {
		w.r.fail(at, "the calls, blocks and branches up to here pass more than %d values; raise limits.operands", w.lim.Operands)
	}
}

func (w *walk) enter(op byte, params, results int) *frame {
	f := frame{op: op, params: params, results: results, base: w.height, loop: noLoop, reach: len(w.ctl)}
	if len(w.ctl) > 0 {
		f.cold, f.loop = w.top().dead || w.top().cold, w.top().loop
	}
	w.ctl = append(w.ctl, f)
	w.push(params)
	return w.top()
}

// leave checks the operands at the end of a frame or of its first half.
func (w *walk) leave(at int) {
	f := w.top()
	if have := w.height - f.base; have != f.results && (!f.dead || have > f.results) {
		w.r.fail(at, "the block ends with %d operands, and gives %d", have, f.results)
	}
	w.height = f.base
}

func (w *walk) die() {
	w.height = w.top().base
	w.top().dead = true
}

// run walks to the end of the function.
func (w *walk) run() {
	w.enter(opBlock, 0, w.results)
	for len(w.ctl) > 0 && w.r.err == nil {
		w.instruction()
	}
	if w.r.err == nil && w.r.left() > 0 {
		w.r.fail(w.r.pos, "%d bytes stand behind the end of the function", w.r.left())
	}
}

func (w *walk) instruction() {
	at := w.r.pos
	op := w.r.byte("an instruction")
	if i := &plain[op]; i.operand != unknown {
		w.plain(at, op, i)
		return
	}
	switch op {
	case opUnreachable, opBr, opBrIf, opBrTable, opReturn:
		w.branch(at, op)
	case opBlock, opLoop, opIf, opElse, opEnd:
		w.structure(at, op)
	case opCall, opCallIndirect:
		w.call(at, op)
	case opLocalGet, opLocalSet, opLocalTee, opGlobalGet, opGlobalSet, opTableGet, opTableSet:
		w.variable(at, op)
	case opSelectTyped:
		w.simple(at, 3, 1, costSimple)
		for n := w.r.count("types"); n > 0 && w.r.err == nil; n-- {
			w.valueType()
		}
	case opRefNull:
		w.valueType()
		w.simple(at, 0, 1, costSimple)
	case opRefFunc:
		f := w.r.readIndex("function", len(w.functions))
		w.simple(at, 0, 1, costSimple)
		if w.r.err == nil && w.refIndex(f) != f {
			w.edit(edit{at: at, skip: w.r.pos - at, kind: editRef, index: w.refIndex(f)})
		}
	case opMemorySize, opMemoryGrow:
		if b := w.r.byte("a memory index"); b != 0 {
			w.r.fail(at, "memory index %d: %s", b, multiMemory)
		}
		w.needsMemory(at)
		if op == opMemorySize {
			w.simple(at, 0, 1, costSimple)
			return
		}
		w.simple(at, 1, 1, costGrow)
		w.replace(at, helper{kind: helpMemoryGrow})
	case opMisc:
		w.misc(at, w.r.u32("an instruction"))
	case opVector:
		w.vector(at, w.r.u32("an instruction"))
	default:
		refuseOpcode(w.r, at, 0, uint32(op))
	}
}

func (w *walk) simple(at, pops, gives int, cost int64) {
	w.pop(at, pops)
	w.push(gives)
	w.cost(at, cost)
}

func (w *walk) plain(at int, op byte, i *instr) {
	switch i.operand {
	case memarg:
		w.memarg(at)
	case constI32:
		v := w.r.sleb(32, "a constant")
		w.constant, w.constantEnd = int64(uint32(v)), w.r.pos
	case constI64:
		w.r.skipSleb(64, "a constant")
	case bytes4:
		w.r.bytes(4, "a constant")
	case bytes8:
		w.r.bytes(8, "a constant")
	case bytes16:
		w.r.bytes(16, "a constant")
	case lane:
		w.r.byte("a lane")
	case memLane:
		w.memarg(at)
		w.r.byte("a lane")
	}
	w.simple(at, int(i.pops), int(i.gives), int64(i.cost))
}

func (w *walk) needsMemory(at int) { w.r.index(at, "memory", 0, w.memories) }

func (w *walk) memarg(at int) {
	if align := w.r.u32("an alignment"); align&0x40 != 0 && align < 0x80 {
		w.r.fail(at, "memory index: %s", multiMemory)
	}
	w.r.u32("an offset")
	w.needsMemory(at)
}

func (w *walk) vector(at int, op uint32) {
	w.wide = true
	if op > 0xff || vectors[op].operand == unknown {
		if w.r.err == nil {
			refuseOpcode(w.r, at, opVector, op)
		}
		return
	}
	w.plain(at, opVector, &vectors[op])
}

func (w *walk) variable(at int, op byte) {
	pops, gives := 0, 0
	switch op {
	case opLocalGet, opLocalSet, opLocalTee:
		w.r.readIndex("local", w.locals)
	case opGlobalGet, opGlobalSet:
		w.r.readIndex("global", w.globals)
	case opTableGet, opTableSet:
		w.r.readIndex("table", len(w.tables))
	}
	switch op {
	case opLocalGet, opGlobalGet:
		gives = 1
	case opLocalSet, opGlobalSet:
		pops = 1
	case opLocalTee, opTableGet:
		pops, gives = 1, 1
	case opTableSet:
		pops = 2
	}
	w.simple(at, pops, gives, costSimple)
}

func (w *walk) call(at int, op byte) {
	if op == opCallIndirect {
		t := w.r.readIndex("type", len(w.types))
		w.r.readIndex("table", len(w.tables))
		if w.r.err == nil {
			w.calls = true
			w.pass(at, len(w.types[t].params)+len(w.types[t].results))
			w.disturb()
			w.simple(at, len(w.types[t].params)+1, len(w.types[t].results), costIndirect)
			w.edit(edit{at: at, kind: editDeeper})
		}
		return
	}
	f := w.r.readIndex("function", len(w.functions))
	if w.r.err != nil {
		return
	}
	t := w.types[w.functions[f]]
	cost := int64(costHostCall)
	if int(f) >= w.imported {
		w.calls, cost = true, costCall
	}
	w.pass(at, len(t.params)+len(t.results))
	w.disturb()
	w.simple(at, len(t.params), len(t.results), cost)
	switch {
	case int(f) >= w.imported && !w.flat[f]:
		w.edit(edit{at: at, skip: w.r.pos - at, kind: editDeepCall, index: w.funcIndex(f)})
	case w.funcIndex(f) != f:
		w.edit(edit{at: at, skip: w.r.pos - at, kind: editCall, index: w.funcIndex(f)})
	}
}

// replace lets a helper do what the instruction does.
func (w *walk) replace(at int, h helper) {
	if w.r.err == nil {
		w.disturb()
		w.edit(edit{at: at, skip: w.r.pos - at, kind: editCall, index: w.helper(h)})
	}
}

func (w *walk) misc(at int, op uint32) {
	r := w.r
	switch {
	case op < miscMemoryInit: // saturating conversions
		w.simple(at, 1, 1, costSimple)
	case op <= miscMemoryFill:
		w.memoryBulk(at, op)
	case op <= miscTableFill:
		w.tableBulk(at, op)
	case r.err == nil:
		refuseOpcode(r, at, opMisc, op)
	}
}

func (w *walk) memoryBulk(at int, op uint32) {
	h := helper{}
	switch op {
	case miscMemoryInit, miscDataDrop:
		w.usesData = true
		if w.dataCount < 0 {
			w.r.fail(at, "the instruction needs a data count section, and there is none")
		}
		h = helper{kind: helpMemoryInit, a: w.r.readIndex("data segment", min(w.dataCount, len(w.data)))}
		if op == miscDataDrop {
			w.simple(at, 0, 0, costSimple)
			return
		}
	case miscMemoryCopy:
		h.kind = helpMemoryCopy
		w.r.readIndex("memory", w.memories)
	case miscMemoryFill:
		h.kind = helpMemoryFill
	}
	w.r.readIndex("memory", w.memories)
	if w.constantEnd == at && w.constant <= inlineBulkMax { // copies of structures, mostly
		w.simple(at, 3, 0, costHelper+w.constant>>bytesPerFuel)
		return
	}
	w.simple(at, 3, 0, costHelper)
	w.replace(at, h)
}

func (w *walk) tableBulk(at int, op uint32) {
	table := func() uint32 { return w.r.readIndex("table", len(w.tables)) }
	segment := func() uint32 { return w.r.readIndex("element segment", len(w.elementSizes)) }
	switch op {
	case miscTableInit:
		s := segment()
		h := helper{helpTableInit, table(), s}
		w.simple(at, 3, 0, costHelper)
		w.replace(at, h)
	case miscElemDrop:
		segment()
		w.simple(at, 0, 0, costSimple)
	case miscTableCopy:
		h := helper{helpTableCopy, table(), table()}
		w.simple(at, 3, 0, costHelper)
		w.replace(at, h)
	case miscTableGrow:
		h := helper{kind: helpTableGrow, a: table()}
		w.simple(at, 2, 1, costGrow)
		w.replace(at, h)
	case miscTableSize:
		table()
		w.simple(at, 0, 1, costSimple)
	case miscTableFill:
		h := helper{kind: helpTableFill, a: table()}
		w.simple(at, 3, 0, costHelper)
		w.replace(at, h)
	}
}

// valueType reads a type, and notes if it is a vector.
func (w *walk) valueType() {
	at := w.r.pos
	t := w.r.byte("a value type")
	if w.r.err == nil {
		checkType(w.r, at, t)
	}
	w.wide = w.wide || t == typeV128
}
