package meter

import "slices"

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
		fn.function(in, w.types[w.functions[w.imported+i]], out)
		if in.err != nil {
			r.err = in.err
			r.err.Func = functionLabel(r.b, list, w.imported+i)
		}
	}
}

// function rewrites one function.
func (w *walk) function(r *reader, t signature, out *code) {
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
	w.head(groups, r.b[begin:start], counted)
	if counted {
		w.enterCounted(weight)
		w.body.raw(opBlock)
		w.blockTypeOf(t.results)
	} else if !w.free() {
		w.charge(0)
	}
	w.emit(start, r.end-1, counted)
	if counted {
		w.body.raw(opEnd)
		w.body.get(w.stackLocal())
		w.body.op(opGlobalSet, w.stackGlobal())
	}
	w.body.raw(opEnd)
	out.sized(w.body)
}

// head begins the new body with the locals: those of the function, and what metering needs.
func (w *walk) head(groups int, locals []byte, counted bool) {
	extra := 0
	if counted {
		extra = 2
	} else if slices.ContainsFunc(w.loops, func(l loop) bool { return l.repeated && !l.disturbed }) {
		extra = 1
	}
	w.body = w.body[:0]
	w.body.u32(uint32(groups + min(extra, 1)))
	w.body.raw(locals...)
	if extra > 0 {
		w.body.u32(uint32(extra))
		w.body.raw(typeI64)
	}
}

// The locals that metering adds: the fuel in tight loops, and the stack as it was at the entry of a counted function.
func (w *walk) fuelLocal() uint32  { return uint32(w.locals) }
func (w *walk) stackLocal() uint32 { return uint32(w.locals) + 1 }

// weight is what a frame of the function takes from the stack.
func (w *walk) weight() int64 {
	values := int64(w.locals + w.highest)
	if w.wide {
		values *= 2
	}
	return weightFrame + weightValue*values
}

// free tells whether the function is so cheap that its callers pay for it.
func (w *walk) free() bool {
	return len(w.points) == 1 && w.points[0].cost <= freeLeaf
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

// enterCounted charges the entry of a function that counts on the stack. One check does for both counters.
func (w *walk) enterCounted(weight int64) {
	c := &w.body
	w.spend(c, units(w.points[0].cost))
	c.op(opGlobalGet, w.stackGlobal())
	c.op(opLocalTee, w.stackLocal())
	c.i64(weight)
	c.raw(opI64Sub)
	c.op(opGlobalSet, w.stackGlobal())
	c.op(opGlobalGet, w.fuelGlobal())
	c.op(opGlobalGet, w.stackGlobal())
	c.raw(opI64Or)
	c.i64(0)
	c.raw(opI64LtS)
	w.refillIf(c)
}
