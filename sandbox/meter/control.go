package meter

// blockType reads the type of a block, and returns how many values it takes and gives.
func (w *walk) blockType() (params, results int) {
	at := w.r.pos
	if w.r.left() == 0 {
		w.r.fail(at, "the type of a block is cut off")
		return 0, 0
	}
	switch b := w.r.b[at]; {
	case b == opEmpty:
		w.r.pos++
		return 0, 0
	case b&0xc0 == 0x40: // one byte, below zero
		w.valueType()
		return 0, 1
	}
	i := w.r.sleb(33, "the type of a block")
	if i < 0 || i >= int64(len(w.types)) {
		w.r.fail(at, "type %d does not exist: there are %d", i, len(w.types))
		return 0, 0
	}
	t := w.types[i]
	w.wide = w.wide || t.wide()
	return len(t.params), len(t.results)
}

func (w *walk) structure(at int, op byte) {
	switch op {
	case opElse:
		f := w.top()
		if f.op != opIf {
			w.r.fail(at, "an else without its if")
			return
		}
		w.leave(at)
		w.flush()
		f.op, f.dead = opElse, false
		w.push(f.params)
		w.mark(w.r.pos, f.before.open, f.loop, true)
	case opEnd:
		w.end(at)
	default:
		params, results := w.blockType()
		if len(w.ctl) > w.lim.Nesting {
			w.r.fail(at, "more than %d blocks within each other; raise limits.nesting", w.lim.Nesting)
			return
		}
		if op == opIf {
			w.simple(at, 1, 0, costSimple)
		}
		w.pass(at, params+results)
		w.pop(at, params)
		w.flush()
		before := w.state
		f := w.enter(op, params, results)
		f.before = before
		switch {
		case f.cold:
		case op == opLoop:
			f.loop = w.repeat(at, w.r.pos, f.loop, params > 0)
		case op == opIf:
			w.mark(w.r.pos, w.open, w.top().loop, true)
		}
	}
}

func (w *walk) end(at int) {
	f := w.top()
	w.leave(at)
	if f.op == opIf && f.params != f.results {
		w.r.fail(at, "an if without else takes %d values and gives %d", f.params, f.results)
	}
	w.flush()
	results := f.results
	cold, before, reach := f.cold, f.before, f.reach
	escaped := reach < len(w.ctl)-1
	if f.op == opLoop && !cold {
		w.closed(at, f.loop)
	}
	w.ctl = w.ctl[:len(w.ctl)-1]
	if len(w.ctl) == 0 {
		return
	}
	w.top().reach = min(w.top().reach, reach)
	w.push(results)
	if !cold {
		w.mark(w.r.pos, before.open, w.top().loop, before.conditional || escaped)
	}
}

// target reads the depth of a branch, notes it for the case that labels are added in between, and returns the frame.
func (w *walk) target() *frame {
	depth := w.r.readIndex("label", len(w.ctl))
	if w.r.err != nil {
		return w.top()
	}
	f := w.to(int(depth))
	w.labels = append(w.labels, label{depth: depth, from: w.top().loop, to: f.loop})
	return f
}

// to notes a branch: behind the frames that it leaves, the code may be passed by. The outer ones learn of it as the
// inner ones end.
func (w *walk) to(depth int) *frame {
	t := len(w.ctl) - 1 - depth
	if !w.top().dead {
		w.top().reach = min(w.top().reach, t)
	}
	f := &w.ctl[t]
	if f.op == opLoop && !f.cold && !w.top().dead {
		w.loops[f.loop].repeated = true
	}
	return f
}

func (w *walk) branch(at int, op byte) {
	w.cost(at, costSimple)
	first := len(w.labels)
	switch op {
	case opUnreachable:
		w.die()
	case opBr:
		n := w.target().label()
		w.pass(at, n)
		w.pop(at, n)
		w.relabel(at, first)
		w.die()
	case opBrIf:
		w.pop(at, 1)
		n := w.target().label()
		w.pass(at, n)
		w.pop(at, n)
		w.push(n)
		w.relabel(at, first)
		if !w.top().dead && !w.top().cold {
			w.flush()
			w.mark(w.r.pos, w.open, w.top().loop, true)
		}
	case opBrTable:
		w.pop(at, 1)
		n := w.r.count("targets of a br_table")
		if n > w.lim.Branches {
			w.r.fail(at, "%d targets of a br_table are above the limit of %d; raise limits.branches", n, w.lim.Branches)
		}
		for i := 0; i < n && w.r.err == nil; i++ {
			w.target()
		}
		given := w.target().label()
		w.pass(at, (n+1)*given)
		w.pop(at, given)
		w.relabel(at, first)
		w.die()
	case opReturn:
		depth := len(w.ctl) - 1
		given := w.to(depth).label()
		w.pass(at, given)
		w.pop(at, given)
		w.die()
		w.labels = append(w.labels, label{depth: uint32(depth), from: w.top().loop, to: noLoop})
		w.edit(edit{at: at, skip: 1, kind: editReturn, index: uint32(first), last: uint32(first + 1)})
	}
}

// relabel lets a branch be written again, since there may be more labels between it and its target.
func (w *walk) relabel(at, first int) {
	if w.r.err == nil && w.top().loop != noLoop {
		w.edit(edit{at: at, skip: w.r.pos - at, kind: editBranch, index: uint32(first), last: uint32(len(w.labels))})
	}
}
