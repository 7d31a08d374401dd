package meter

// Weights of a frame on the guest's stack, in bytes.
const (
	weightFrame = 64
	weightValue = 8
	lightFrame  = 4096 // a function that calls nothing and weighs no more is not counted
)

// code rewrites the code section. The function that moves is kept for the end.
func (w *rewriter) code(r *reader, list []section) {
	n := r.count("functions")
	fn := &walk{rewriter: w}
	for i := 0; i < n && r.err == nil; i++ {
		size := r.count("bytes of a function")
		in := &reader{b: r.b, pos: r.pos, end: r.pos + size, err: r.err}
		r.bytes(size, "a function")
		out := &w.parts[secCode]
		if i == 0 {
			out = &w.moved
		}
		fn.function(in, w.imported+i, out)
		if in.err != nil {
			r.err = in.err
			r.err.Func = functionLabel(r.b, list, w.imported+i)
		}
	}
}

// function rewrites one function.
func (w *walk) function(r *reader, index int, out *code) {
	t := w.types[w.functions[index]]
	w.r, w.results, w.wide = r, len(t.results), t.wide()
	w.ctl, w.height, w.highest, w.calls, w.constantEnd = w.ctl[:0], 0, 0, false, 0
	w.locals = len(t.params)
	groups := r.count("groups of locals")
	begin := r.pos
	for n := groups; n > 0 && r.err == nil; n-- {
		w.locals += int(r.u32("a number of locals"))
		w.valueType()
	}
	start := r.pos
	w.begin()
	w.run()
	if r.err != nil {
		return
	}
	weight := w.weight()
	counted := w.calls || weight > lightFrame
	if !counted {
		w.flat[uint32(index)] = true
	}
	restores := w.calls && w.entries[uint32(index)]
	w.head(groups, r.b[begin:start], counted)
	if counted {
		w.enterCounted(weight)
	} else if w.points[0].cost > freeEntry {
		w.charge(0, 1)
	}
	if restores {
		w.body.raw(opBlock)
		w.blockTypeOf(t.results)
	}
	w.settle()
	w.emit(start, r.end-1, 0, len(w.edits), restores)
	if restores {
		w.body.raw(opEnd)
		w.body.get(w.stackLocal())
		w.body.i64(weight)
		w.body.raw(opI64Add)
		w.body.op(opGlobalSet, w.stackGlobal())
	}
	w.body.raw(opEnd)
	out.sized(w.body)
}

// head begins the new body with the locals: those of the function, and one more in a counted one.
func (w *walk) head(groups int, locals []byte, counted bool) {
	w.body = w.body[:0]
	if !counted {
		w.body.u32(uint32(groups))
		w.body.raw(locals...)
		return
	}
	w.body.u32(uint32(groups + 1))
	w.body.raw(locals...)
	w.body.raw(1, typeI64)
}

// stackLocal is the local that metering adds: the stack that a counted function leaves to what it calls.
func (w *walk) stackLocal() uint32 { return uint32(w.locals) }

// weight is what a frame of the function takes from the stack.
func (w *walk) weight() int64 {
	values := int64(w.locals + w.highest)
	if w.wide {
		values *= 2
	}
	return weightFrame + weightValue*values
}

// blockTypeOf writes the type of a block that takes nothing and gives these values.
func (w *walk) blockTypeOf(results []byte) {
	switch len(results) {
	case 0:
		w.body.raw(opEmpty)
	case 1:
		w.body.raw(results[0])
	default:
		w.body.sleb(int64(w.typeOf(nil, results)))
	}
}

// enterCounted charges the entry of a function that counts on the stack. One check does for both counters. What is left
// of the stack is kept in a local and put into the global before each call, so that nothing is to be done at the
// function's end.
func (w *walk) enterCounted(weight int64) {
	c := &w.body
	if cost := w.points[0].cost; cost > freeEntry {
		w.spend(c, units(cost))
	}
	c.op(opGlobalGet, w.stackGlobal())
	c.i64(weight)
	c.raw(opI64Sub)
	c.op(opLocalTee, w.stackLocal())
	if !w.checkedAtHead() {
		c.op(opGlobalGet, w.fuelGlobal())
		c.raw(opI64Or)
	}
	c.i64(0)
	c.raw(opI64GeS, opIf, opEmpty, opElse)
	w.storeStack()
	c.op(opCall, w.helper(helper{kind: helpRefill}))
	c.raw(opEnd)
}

func (w *walk) storeStack() {
	w.body.get(w.stackLocal())
	w.body.op(opGlobalSet, w.stackGlobal())
}
