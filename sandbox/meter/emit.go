package meter

// charge writes the code of a point. The head of a loop looks at the fuel first, since it passes here again when it
// comes back from the host.
func (w *walk) charge(i int) {
	p, c := &w.points[i], &w.body
	cached := p.loop != noLoop && w.cached(p.loop)
	fuel := func() {
		if cached {
			c.get(w.fuelLocal())
		} else {
			c.op(opGlobalGet, w.fuelGlobal())
		}
	}
	if p.head && w.wrapped(p.loop) {
		fuel()
		c.i64(0)
		c.raw(opI64LtS, opIf, opEmpty)
		c.op(opBr, 2)
		c.raw(opEnd)
	}
	if p.cost > 0 {
		fuel()
		c.i64(p.cost)
		c.raw(opI64Sub)
		if cached {
			c.op(opLocalTee, w.fuelLocal())
		}
		c.op(opGlobalSet, w.fuelGlobal())
	}
	if i == 0 || p.split || p.cost >= checked || p.head && w.loops[p.loop].repeated && !w.wrapped(p.loop) {
		w.check(c)
		if cached {
			w.loadFuel()
		}
	}
}

// loadFuel puts the fuel into its local.
func (w *walk) loadFuel() {
	w.body.op(opGlobalGet, w.fuelGlobal())
	w.body.op(opLocalSet, w.fuelLocal())
}

// openLoop writes what begins around a wrapped loop: a block, the loop that is entered again after a call to the host,
// both of the same type, and a block at whose end that call is.
func (w *walk) openLoop(e *edit) {
	i := int(e.index)
	if !w.wrapped(i) {
		return
	}
	if parent := w.loops[i].parent; w.tight(i) && (parent == noLoop || !w.cached(parent)) {
		w.loadFuel()
	}
	r := &reader{b: w.r.b, pos: e.at + 1, end: w.r.end}
	r.skipSleb(33, "the type of a block")
	for _, op := range []byte{opBlock, opLoop} {
		w.body.raw(op)
		w.body.raw(w.r.b[e.at+1 : r.pos]...)
	}
	w.body.raw(opBlock, opEmpty)
}

// closeLoop writes what stands between the end of a wrapped loop and the end of the outermost block around it.
func (w *walk) closeLoop(i int) {
	if !w.wrapped(i) {
		return
	}
	c := &w.body
	c.raw(opEnd)
	c.op(opBr, 2)
	c.raw(opEnd)
	c.op(opCall, w.helper(helper{kind: helpRefill}))
	if w.cached(i) {
		w.loadFuel()
	}
	c.op(opBr, 0)
	c.raw(opEnd)
}

// emit copies the code from start to end with its changes.
func (w *walk) emit(start, end int, counted bool) {
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
			w.closeLoop(int(e.index))
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
