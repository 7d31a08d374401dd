package meter

import "fmt"

// Meter checks a module as Check does, checks each instruction as far as metering depends on it, and returns the
// module rewritten so that it counts its fuel and its stack, and asks its host for more (see ImportName). The
// information is that of the module as it came. The rewritten module has the same types, functions and exports and
// behaves the same, but for tables, which grow to the limit at most, and custom sections, of which the names are kept.
// Data segments are joined where that cannot be told.
// A module that passes can still have operands of wrong types, which is for the engine to find.
//
// The error is an *Error with the offset at fault. No module makes it panic.
func Meter(wasm []byte, opt Options) ([]byte, *Info, error) {
	info, err := Check(wasm, opt.Limits)
	if err != nil {
		return nil, nil, err
	}
	list, serr := sections(wasm)
	if serr != nil {
		return nil, nil, serr
	}
	orDefault(&opt.Stack, DefaultStack)
	w := &rewriter{
		wasm: wasm, lim: opt.Limits.withDefaults(), stack: opt.Stack, keepNames: !info.DropNames,
		typeIndex: map[string]uint32{}, helperIndex: map[helper]uint32{},
		entries: map[uint32]bool{}, flat: map[uint32]bool{},
	}
	w.dataCount = -1
	if serr := w.rewrite(list); serr != nil {
		return nil, nil, serr
	}
	return w.assemble(), info, nil
}

// rewriter turns one module into its metered form. Indices keep their meaning as far as possible: what is added to a
// list is added at its end. Imported functions come before all others, though, so the imported slice function takes the
// index of the first function of the module, and that one moves behind the last; behind it come the helpers. The
// fuel and the stack are the two last globals.
type rewriter struct {
	shape
	wasm      []byte
	lim       Limits
	stack     int64
	keepNames bool

	parts      [secDataCount + 1]code // the sections written so far, without the number of items in front
	counts     [secDataCount + 1]int  // of items
	names      []name
	moduleName []byte // with its length in front; nil if there is none

	typeIndex   map[string]uint32
	helperIndex map[helper]uint32
	helpers     []helper
	entries     map[uint32]bool // functions that the host calls
	flat        map[uint32]bool // functions written so far that do not count on the stack
	moved       code            // the body of the function that moved
	body        code            // of the function at hand
	run         dataRun
	usesData    bool  // instructions name data segments
	passed      int64 // values that instructions hand over as a whole, see walk.pass
}

func (w *rewriter) rewrite(list []section) *Error {
	w.readShape(list)
	for _, s := range list {
		if s.id == secCustom {
			continue
		}
		r := &reader{b: w.wasm, pos: s.body, end: s.end}
		w.section(r, s, list)
		if r.err == nil && r.left() > 0 {
			r.fail(r.pos, "%d bytes too many in the %s section", r.left(), sectionNames[s.id])
		}
		if r.err != nil {
			return r.err
		}
	}
	for _, s := range list {
		if s.id == secCustom && s.name == "name" && w.keepNames {
			w.readNames(&reader{b: w.wasm, pos: s.body, end: s.end})
		}
	}
	return nil
}

// readShape looks ahead for what instructions refer to before it is declared: only the number of element and data
// segments. Everything else comes before the code.
func (w *rewriter) readShape(list []section) {
	for _, s := range list {
		r := &reader{b: w.wasm, pos: s.body, end: s.end}
		switch s.id {
		case secDataCount:
			w.dataCount = int(r.u32("the data count"))
		case secData:
			n := r.count("data segments")
			for i := 0; i < n && r.err == nil; i++ {
				w.data = append(w.data, skipData(r))
			}
		}
	}
}

// skipData passes over a data segment and returns its length.
func skipData(r *reader) int {
	if r.u32("the flags of a data segment") != 1 {
		(&checker{r: r}).constExpr()
	}
	n := r.count("bytes of a data segment")
	r.bytes(n, "a data segment")
	return n
}

// section reads one section and writes its metered form.
func (w *rewriter) section(r *reader, s section, list []section) {
	switch s.id {
	case secType:
		w.copyItems(r, s, w.readTypes)
	case secImport:
		w.copyItems(r, s, w.readImports)
	case secFunction:
		w.readFunctions(r)
	case secTable:
		w.items(r, s, w.table)
	case secMemory:
		w.copyItems(r, s, func(r *reader) {
			for n := r.count("memories"); n > 0 && r.err == nil; n-- {
				readLimits(r)
				w.memories++
			}
		})
	case secGlobal:
		w.items(r, s, w.global)
	case secExport:
		w.items(r, s, w.export)
	case secStart:
		f := r.readIndex("function", len(w.functions))
		w.entries[f] = true
		w.parts[secStart].u32(w.funcIndex(f))
		w.counts[secStart]++
	case secElement:
		w.items(r, s, w.element)
	case secDataCount:
		w.parts[secDataCount].u32(r.u32("the data count"))
		w.counts[secDataCount]++
	case secCode:
		w.code(r, list)
	case secData:
		w.items(r, s, w.dataSegment)
		w.endRun()
	}
}

// copyItems lets read look at a section that is copied as it is.
func (w *rewriter) copyItems(r *reader, s section, read func(*reader)) {
	head := *r
	w.counts[s.id] = head.count("items")
	if head.err == nil {
		w.parts[s.id].raw(w.wasm[head.pos:s.end]...)
	}
	read(r)
}

// items rewrites a section item by item.
func (w *rewriter) items(r *reader, s section, item func(r *reader, out *code)) {
	n := r.count("items")
	w.counts[s.id] = n
	for i := 0; i < n && r.err == nil; i++ {
		item(r, &w.parts[s.id])
	}
}

// funcIndex is where a function of the module is found in the metered one.
func (w *rewriter) funcIndex(f uint32) uint32 {
	if int(f) == w.imported {
		return uint32(len(w.functions))
	}
	return f
}

// refIndex is the same for a function that is referred to rather than called: a call through a reference cannot be
// told from others, so an imported function gets a wrapper that charges for the crossing to the host.
func (w *rewriter) refIndex(f uint32) uint32 {
	if int(f) < w.imported {
		return w.helper(helper{kind: helpWrapper, a: f})
	}
	return w.funcIndex(f)
}

func (w *rewriter) sliceIndex() uint32  { return uint32(w.imported) }
func (w *rewriter) fuelGlobal() uint32  { return uint32(w.globals) }
func (w *rewriter) stackGlobal() uint32 { return uint32(w.globals) + 1 }

// typeOf returns the index of a function type, which is added if the module lacks it.
func (w *rewriter) typeOf(params, results []byte) uint32 {
	key := fmt.Sprintf("%s>%s", params, results)
	if len(w.typeIndex) == 0 {
		for i, t := range w.types {
			w.typeIndex[fmt.Sprintf("%s>%s", t.params, t.results)] = uint32(i)
		}
	}
	if i, found := w.typeIndex[key]; found {
		return i
	}
	i := uint32(w.counts[secType])
	w.counts[secType]++
	w.typeIndex[key] = i
	c := &w.parts[secType]
	c.raw(typeFunc)
	c.sized(params)
	c.sized(results)
	return i
}
