package meter

// charge writes the code of a point. The head of a wrapped loop looks at the fuel first, since it passes here again when
// it comes back from the host. What is charged is for so many turns.
func (w *walk) charge(i int, turns int64) {
	p, c := &w.points[i], &w.body
	wrapped := p.head && w.wrapped(p.loop)
	if wrapped {
		c.op(opGlobalGet, w.fuelGlobal())
		c.i64(0)
		c.raw(opI64GeS, opIf, opEmpty, opElse)
		c.op(opBr, 2)
		c.raw(opEnd)
	}
	if p.cost > 0 {
		w.spend(c, units(p.cost*turns))
	}
	if p.split || p.cost >= checked || p.head && w.loops[p.loop].repeated && !wrapped {
		w.check(c)
	}
}

// openLoop writes what begins around a wrapped loop: a block, the loop that is entered again after a call to the host,
// both of the same type, and a block at whose end that call is.
func (w *walk) openLoop(i, at int) {
	if !w.wrapped(i) {
		return
	}
	for _, op := range []byte{opBlock, opLoop} {
		w.body.raw(op)
		w.body.raw(w.r.b[at+1 : w.loops[i].code]...)
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
	c.op(opBr, 0)
	c.raw(opEnd)
}

// unroll writes the loop up to its end with several copies of its code. All but the last stand in a block whose end is
// the next turn; where one runs to its end, the loop is left.
func (w *walk) unroll(i, copies int, restores bool) {
	l, c := &w.loops[i], &w.body
	c.raw(w.r.b[w.edits[l.begin].at:l.code]...)
	w.charge(l.point, int64(copies))
	w.copying = i
	for range copies - 1 {
		c.raw(opBlock, opEmpty)
		w.emit(l.code, l.end, l.begin+2, l.last, restores)
		c.op(opBr, 4)
		c.raw(opEnd)
	}
	w.copying = noLoop
	w.emit(l.code, l.end, l.begin+2, l.last, restores)
}

// emit copies the code from one offset to another with its changes, which are those from first to before last.
func (w *walk) emit(at, end, first, last int, restores bool) {
	for i := first; i < last; i++ {
		e := &w.edits[i]
		if e.kind == editPoint && e.index == noPoint || e.kind == editReturn && !restores {
			continue
		}
		w.body.raw(w.r.b[at:e.at]...)
		at = e.at + e.skip
		switch e.kind {
		case editPoint:
			w.charge(int(e.index), 1)
		case editDeeper:
			w.storeStack()
		case editDeepCall:
			w.storeStack()
			w.body.op(opCall, e.index)
		case editCall:
			w.body.op(opCall, e.index)
		case editRef:
			w.body.op(opRefFunc, e.index)
		case editReturn:
			w.body.op(opBr, w.depth(w.labels[e.index]))
		case editBranch:
			w.branchTo(w.r.b[e.at], w.labels[e.index:e.last])
		case editLoop:
			l := int(e.index)
			w.openLoop(l, e.at)
			if copies := w.copies(l); copies > 1 {
				w.unroll(l, copies, restores)
				at, i = w.loops[l].end, w.loops[l].last-1
			}
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
