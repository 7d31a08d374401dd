package meter

import "fmt"

// Weights of a frame on the guest's stack, in bytes.
const (
	weightFrame = 64
	weightValue = 8
	lightFrame  = 4096 // a function that calls nothing and weighs no more is not counted
)

// code rewrites the code section. The function that moves is kept for the end.
func (w *rewriter) code(r *reader) {
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
			r.err.Func = fmt.Sprintf("function %d", w.imported+i)
		}
	}
}

// function rewrites one function.
func (w *walk) function(r *reader, t signature, out *code) {
	w.r, w.results, w.wide = r, len(t.results), t.wide()
	w.ctl, w.height, w.highest, w.calls, w.constantEnd = w.ctl[:0], 0, 0, false, 0
	begin := r.pos
	w.locals = len(t.params)
	for n := r.count("groups of locals"); n > 0 && r.err == nil; n-- {
		w.locals += int(r.u32("a number of locals"))
		w.valueType()
	}
	start := r.pos
	w.meterage.begin()
	w.run()
	if r.err != nil {
		return
	}
	w.body = append(w.body[:0], r.b[begin:start]...)
	weight := w.weight()
	counted := w.calls || weight > lightFrame
	if counted {
		w.enterCounted(weight)
		w.body.raw(opBlock)
		w.blockTypeOf(t.results)
	} else if !w.free() {
		w.charge(0)
	}
	w.emit(start, r.end-1)
	if counted {
		w.body.raw(opEnd)
		w.body.op(opGlobalGet, w.stackGlobal())
		w.body.i64(weight)
		w.body.raw(opI64Add)
		w.body.op(opGlobalSet, w.stackGlobal())
	}
	w.body.raw(opEnd)
	out.sized(w.body)
}

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

// charge writes the code of a point.
func (w *walk) charge(i int) {
	p := &w.points[i]
	if p.cost > 0 {
		w.spend(&w.body, units(p.cost))
	}
	if i == 0 || p.repeated || p.split || p.cost >= checked {
		w.check(&w.body)
	}
}

// emit copies the code from start to end with its changes.
func (w *walk) emit(start, end int) {
	at := start
	for i := range w.edits {
		e := &w.edits[i]
		if e.kind == editPoint && e.index == noPoint {
			continue
		}
		w.body.raw(w.r.b[at:e.at]...)
		at = e.at + e.skip
		switch e.kind {
		case editPoint:
			w.charge(int(e.index))
		case editCall:
			w.body.op(opCall, e.index)
		case editRef:
			w.body.op(opRefFunc, e.index)
		case editReturn:
			w.body.op(opBr, e.index)
		}
	}
	w.body.raw(w.r.b[at:end]...)
}
