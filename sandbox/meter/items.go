package meter

// table copies the type of a table. Its maximum is lowered to the limit, so that the guest sees how far it can grow.
func (w *rewriter) table(r *reader, out *code) {
	t := readTableType(r)
	w.tables = append(w.tables, t.holds)
	most := uint32(min(w.lim.TableSize, maxTable))
	if t.limits.hasMax {
		most = min(most, t.limits.most)
	}
	out.raw(t.holds, 1)
	out.u32(t.limits.least)
	out.u32(max(most, t.limits.least))
}

// maxTable caps the limit of tables, so that no operation on a whole one takes long.
const maxTable = 10_000_000

func (w *rewriter) global(r *reader, out *code) {
	begin := r.pos
	readGlobalType(r)
	out.raw(r.b[begin:r.pos]...)
	w.constant(r, out)
	w.globals++
}

// constant copies an initial value up to its end instruction.
func (w *rewriter) constant(r *reader, out *code) {
	for r.err == nil {
		at := r.pos
		op := r.byte("a constant expression")
		switch op {
		case opEnd:
		case opI32Const:
			r.skipSleb(32, "a constant")
		case opI64Const:
			r.skipSleb(64, "a constant")
		case 0x43: // f32.const
			r.bytes(4, "a constant")
		case 0x44: // f64.const
			r.bytes(8, "a constant")
		case opGlobalGet:
			r.readIndex("imported global", w.constants)
		case opRefNull:
			checkType(r, at, r.byte("a reference type"))
		case opRefFunc:
			if f := r.readIndex("function", len(w.functions)); r.err == nil {
				out.op(opRefFunc, w.refIndex(f))
			}
			continue
		case opVector:
			if sub := r.u32("a vector instruction"); sub != 0x0c {
				r.fail(at, "vector instruction %#x cannot stand in a constant expression", sub)
			}
			r.bytes(16, "a constant")
		default:
			refuseConstant(r, at, op)
		}
		if r.err == nil {
			out.raw(r.b[at:r.pos]...)
		}
		if op == opEnd {
			return
		}
	}
}

func (w *rewriter) export(r *reader, out *code) {
	at := r.pos
	if r.name("the name of an export") == FuelExport {
		r.fail(at, "it exports %q, which is the host's own name: export it under another", FuelExport)
	}
	nameEnd := r.pos
	kind := Kind(r.byte("the kind of an export"))
	i := r.readIndex(kind.String(), w.countOf(kind))
	if r.err != nil {
		return
	}
	if kind == Func {
		w.entries[i] = true
		i = w.refIndex(i)
	}
	out.raw(r.b[at:nameEnd]...)
	out.op(byte(kind), i)
}

func (w *rewriter) countOf(k Kind) int {
	switch k {
	case Func:
		return len(w.functions)
	case Table:
		return len(w.tables)
	case Memory:
		return w.memories
	}
	return w.globals
}

// element rewrites an element segment; for the flags see checker.element.
func (w *rewriter) element(r *reader, out *code) {
	flags := r.u32("the flags of an element segment")
	active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
	out.u32(flags)
	if active {
		if explicit {
			out.u32(r.readIndex("table", len(w.tables)))
		} else {
			r.index(r.pos, "table", 0, len(w.tables))
		}
		w.constant(r, out)
	}
	if !active || explicit {
		at := r.pos
		kind := r.byte("an element kind")
		if exprs {
			checkType(r, at, kind)
		} else if kind != 0 {
			r.fail(at, "element kind %#x is unknown", kind)
		}
		out.raw(kind)
	}
	n := r.count("elements")
	out.u32(uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		if exprs {
			w.constant(r, out)
		} else if f := r.readIndex("function", len(w.functions)); r.err == nil {
			out.u32(w.refIndex(f))
		}
	}
	w.elementSizes = append(w.elementSizes, n)
}
