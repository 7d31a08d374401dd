package meter

import "slices"

// signature is a function type.
type signature struct{ params, results []byte }

func (s signature) wide() bool {
	return slices.Contains(s.params, typeV128) || slices.Contains(s.results, typeV128)
}

// shape is what the instructions of a module can refer to, as the module itself has it.
type shape struct {
	types     []signature
	functions []uint32 // their types, imported ones first
	imported  int      // functions
	tables    []byte   // what they hold, imported ones first
	memories  int
	globals   int
	constants int   // imported globals, which initial values can refer to
	data      []int // the lengths of the data segments
	dataCount int   // -1 if there is no data count section

	elementSizes []int // the lengths of the element segments
}

// index fails unless i is below n, the number of these things in the module as it came.
func (r *reader) index(at int, what string, i uint32, n int) uint32 {
	if r.err == nil && uint64(i) >= uint64(n) {
		r.fail(at, "%s %d does not exist: there are %d", what, i, n)
	}
	if r.err != nil {
		return 0
	}
	return i
}

// readIndex reads an index, and fails as index does.
func (r *reader) readIndex(what string, n int) uint32 {
	at := r.pos
	return r.index(at, what, r.u32("the index of a "+what), n)
}

func (s *shape) readTypes(r *reader) {
	n := r.count("types")
	for i := 0; i < n && r.err == nil; i++ {
		at := r.pos
		checkForm(r, at, r.byte("a type"))
		s.types = append(s.types, signature{params: readTypeList(r), results: readTypeList(r)})
	}
}

func readTypeList(r *reader) []byte {
	n := r.count("types of values") // Check has held it against the limit
	list := r.bytes(n, "types of values")
	for i, t := range list {
		checkType(r, r.pos-n+i, t)
	}
	return list
}

func (s *shape) readImports(r *reader) {
	n := r.count("imports")
	for i := 0; i < n && r.err == nil; i++ {
		at := r.pos
		if r.name("the module of an import") == ImportModule {
			r.fail(at, "it imports from %q, which is the host's own: build the module without that", ImportModule)
		}
		r.name("the name of an import")
		kindAt := r.pos
		switch kind := Kind(r.byte("the kind of an import")); kind {
		case Func:
			s.functions = append(s.functions, r.readIndex("type", len(s.types)))
			s.imported++
		case Table:
			s.tables = append(s.tables, readTableType(r).holds)
		case Memory:
			readLimits(r)
			s.memories++
		case Global:
			readGlobalType(r)
			s.globals++
			s.constants++
		default:
			r.fail(kindAt, "import kind %#x: %s", byte(kind), exceptions)
		}
	}
}

func (s *shape) readFunctions(r *reader) {
	n := r.count("functions")
	for i := 0; i < n && r.err == nil; i++ {
		s.functions = append(s.functions, r.readIndex("type", len(s.types)))
	}
}

type tableType struct {
	holds  byte
	limits limitsOf
}

type limitsOf struct {
	least, most uint32
	hasMax      bool
}

func readTableType(r *reader) (t tableType) {
	at := r.pos
	t.holds = r.byte("the type of a table")
	if t.holds == 0x40 {
		r.fail(at, "a table with an initial value: %s", typedRefs)
	} else if checkType(r, at, t.holds); r.err == nil && t.holds != typeFuncref && t.holds != typeExternref {
		r.fail(at, "a table cannot hold values of type %#x", t.holds)
	}
	t.limits = readLimits(r)
	return t
}

func readLimits(r *reader) (l limitsOf) {
	at := r.pos
	flags := r.byte("the limits of a table or memory")
	if flags > 1 {
		r.fail(at, "limits flag %#x is not run: build for wasm32, without threads", flags)
	}
	l.least = r.u32("a minimum")
	if l.hasMax = flags&1 != 0; l.hasMax {
		l.most = r.u32("a maximum")
	}
	return l
}

func readGlobalType(r *reader) {
	at := r.pos
	checkType(r, at, r.byte("the type of a global"))
	at = r.pos
	if m := r.byte("the mutability of a global"); m > 1 {
		r.fail(at, "mutability %#x is neither 0 nor 1", m)
	}
}
