package meter

// charge writes the code of a point.
func (w *walk) charge(i int) {
	p, c := &w.points[i], &w.body
	if p.loop != noLoop && w.cached(p.loop) {
		w.chargeCached(p)
		return
	}
	if p.cost > 0 {
		w.spend(c, units(p.cost))
	}
	if i == 0 || p.split || p.cost >= checked || p.head && w.loops[p.loop].repeated {
		w.check(c)
	}
}

// chargeCached does so where the fuel is in a local too. The head of a tight loop looks at the fuel first, since it
// passes here again when it comes back from the host.
func (w *walk) chargeCached(p *point) {
	c := &w.body
	if p.head && w.tight(p.loop) {
		c.get(w.fuelLocal())
		c.i64(0)
		c.raw(opI64LtS)
		c.op(opBrIf, 1)
	}
	if p.cost > 0 {
		c.get(w.fuelLocal())
		c.i64(p.cost)
		c.raw(opI64Sub)
		c.op(opLocalTee, w.fuelLocal())
		c.op(opGlobalSet, w.fuelGlobal())
	}
	if p.split || p.cost >= checked {
		w.checkCached()
	}
}

// checkCached asks for the next slice if the fuel in the local is spent.
func (w *walk) checkCached() {
	c := &w.body
	c.get(w.fuelLocal())
	c.i64(0)
	c.raw(opI64LtS, opIf, opEmpty)
	c.op(opCall, w.helper(helper{kind: helpRefill}))
	c.op(opGlobalGet, w.fuelGlobal())
	c.op(opLocalSet, w.fuelLocal())
	c.raw(opEnd)
}

// openLoop writes the loop around a tight one, of the same type.
func (w *walk) openLoop(e *edit) {
	i := int(e.index)
	if !w.tight(i) {
		return
	}
	r := &reader{b: w.r.b, pos: e.at + 1, end: w.r.end}
	r.skipSleb(33, "the type of a block")
	w.body.raw(w.r.b[e.at:r.pos]...)
	if parent := w.loops[i].parent; parent == noLoop || !w.cached(parent) {
		w.body.op(opGlobalGet, w.fuelGlobal())
		w.body.op(opLocalSet, w.fuelLocal())
	}
	w.checkCached()
}

// emit copies the code from start to end with its changes.
func (w *walk) emit(start, end int, counted bool) {
	w.settle()
	at := start
	for i := range w.edits {
		e := &w.edits[i]
		if e.kind == editPoint && e.index == noPoint || e.kind == editReturn && !counted {
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
			w.body.op(opBr, w.depth(w.labels[e.index]))
		case editBranch:
			w.branchTo(w.r.b[e.at], w.labels[e.index:e.last])
		case editLoop:
			w.openLoop(e)
		case editLoopEnd:
			if w.tight(int(e.index)) {
				w.body.raw(opEnd)
			}
		}
	}
	w.body.raw(w.r.b[at:end]...)
}

func (w *walk) branchTo(op byte, labels []label) {
	w.body.raw(op)
	if op == opBrTable {
		w.body.u32(uint32(len(labels) - 1))
	}
	for _, l := range labels {
		w.body.u32(w.depth(l))
	}
}
