package meter

import (
	"fmt"
	"slices"
)

// assemble puts the sections of the metered module together.
func (w *rewriter) assemble() []byte {
	w.counts[secImport]++
	imports := &w.parts[secImport]
	imports.sized([]byte(ImportModule))
	imports.sized([]byte(ImportName))
	imports.op(byte(Func), w.typeOf([]byte{typeI64, typeI64}, []byte{typeI64}))

	w.counts[secGlobal] += 2
	globals := &w.parts[secGlobal]
	for _, init := range []int64{0, w.stack} {
		globals.raw(typeI64, 1)
		globals.i64(init)
		globals.raw(opEnd)
	}
	w.counts[secExport]++
	exports := &w.parts[secExport]
	exports.sized([]byte(FuelExport))
	exports.op(byte(Global), w.fuelGlobal())

	w.assembleFunctions()

	out := code("\x00asm\x01\x00\x00\x00")
	out = slices.Grow(out, len(w.wasm)+len(w.wasm)/4)
	for _, id := range []byte{secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secStart,
		secElement, secDataCount, secCode, secData} {
		if w.counts[id] == 0 {
			continue
		}
		var count code
		if id != secStart && id != secDataCount {
			count.u32(uint32(w.counts[id]))
		}
		out.raw(id)
		out.u32(uint32(len(count) + len(w.parts[id])))
		out.raw(count...)
		out.raw(w.parts[id]...)
	}
	out.section(secCustom, w.nameSection())
	return out
}

// assembleFunctions writes the types of all functions in their new order, and appends the bodies that come last.
func (w *rewriter) assembleFunctions() {
	own := w.functions[w.imported:]
	if len(own) > 0 {
		own = append(slices.Clone(own[1:]), own[0])
		w.parts[secCode].raw(w.moved...)
		w.nameFunction(uint32(len(w.functions)), "")
	}
	for _, t := range own {
		w.parts[secFunction].u32(t)
	}
	for i := 0; i < len(w.helpers); i++ { // a body can ask for one more helper
		body, t, text := w.helperBody(w.helpers[i])
		w.parts[secFunction].u32(t)
		w.parts[secCode].sized(body)
		w.nameFunction(uint32(len(w.functions)+1+i), text)
	}
	w.counts[secFunction] = len(own) + len(w.helpers)
	w.counts[secCode] = w.counts[secFunction]
}

// name is the name of a function, as its metered index has it.
type name struct {
	index uint32
	text  []byte
}

// nameFunction names a function for stack traces: a helper, or with an empty text the function that moved, which else
// would show under the index that it has now.
func (w *rewriter) nameFunction(index uint32, text string) {
	if text != "" {
		w.names = append(w.names, name{index: index, text: []byte(HelperPrefix + text)})
		return
	}
	if !slices.ContainsFunc(w.names, func(n name) bool { return n.index == index }) {
		w.names = append(w.names, name{index: index, text: fmt.Appendf(nil, "$%d", w.imported)})
	}
}

// readNames takes over the names of the module and of its functions; those of locals and so on are dropped. That the
// section is well-formed was checked.
func (w *rewriter) readNames(r *reader) {
	for r.err == nil && r.left() > 0 {
		id := r.byte("a kind of names")
		size := r.count("bytes of names")
		in := &reader{b: r.b, pos: r.pos, end: r.pos + size, err: r.err}
		r.bytes(size, "names")
		switch id {
		case nameModule:
			w.moduleName = in.bytes(size, "a module name")
		case nameFunction:
			for n := in.count("names"); n > 0 && in.err == nil; n-- {
				f := in.u32("an index")
				text := in.bytes(in.count("bytes of a name"), "a name")
				if int(f) < len(w.functions) {
					w.names = append(w.names, name{index: w.funcIndex(f), text: text})
				}
			}
		}
	}
}

func (w *rewriter) nameSection() []byte {
	slices.SortStableFunc(w.names, func(a, b name) int { return int(int64(a.index) - int64(b.index)) })
	w.names = slices.CompactFunc(w.names, func(a, b name) bool { return a.index == b.index })
	var names, out code
	names.u32(uint32(len(w.names)))
	for _, n := range w.names {
		names.u32(n.index)
		names.sized(n.text)
	}
	out.sized([]byte("name"))
	if w.moduleName != nil {
		out.section(nameModule, w.moduleName)
	}
	out.section(nameFunction, names)
	return out
}
