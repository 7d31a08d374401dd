package meter

// Check decodes the structure of a module and holds it against the limits. The error is an *Error with the offset at
// fault. A module that passes is not thereby valid: types and instructions are the engine's to check.
func Check(wasm []byte, lim Limits) (*Info, error) {
	lim = lim.withDefaults()
	if int64(len(wasm)) > lim.ModuleSize {
		return nil, errorAt(0, "a module of %s is above the limit of %s; raise limits.module_size",
			FormatBytes(int64(len(wasm))), FormatBytes(lim.ModuleSize))
	}
	list, err := sections(wasm)
	if err != nil {
		return nil, err
	}
	c := &checker{lim: lim, list: list, info: &Info{Size: int64(len(wasm))}}
	if err := c.order(list); err != nil {
		return nil, err
	}
	for _, s := range list {
		c.r = &reader{b: wasm, pos: s.body, end: s.end}
		c.section(s)
		if c.r.err == nil && c.r.left() > 0 {
			c.r.fail(c.r.pos, "%d bytes too many in the %s section", c.r.left(), sectionNames[s.id])
		}
		if c.r.err != nil {
			return nil, c.r.err
		}
	}
	if c.declared != c.info.Functions {
		return nil, errorAt(len(wasm), "%d functions are declared, but the code section has %d", c.declared, c.info.Functions)
	}
	return c.info, nil
}

// checker holds what the sections of one module have in common.
type checker struct {
	r    *reader // over the section at hand
	lim  Limits
	list []section
	info *Info

	imported int // functions
	declared int // functions of the function section
	tables   int
	memories int
	elements int   // table entries set by element segments
	data     int64 // bytes in data segments
	types    int   // function types seen
	params   int   // parameters and results of these
	locals   int64 // of all functions seen
	names    int   // name sections seen
	bodies   int   // functions of the code section seen
}

// place says where a section stands in a module; custom sections stand anywhere. The data count section has a higher
// number than the code section that it precedes.
var place = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7,
	secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

func (c *checker) order(list []section) *Error {
	last := section{id: secCustom}
	for _, s := range list {
		if s.id == secCustom {
			c.info.Customs = append(c.info.Customs, CustomSection{Name: s.name, Size: s.end - s.body})
			if len(c.info.Customs) > c.lim.Entries {
				return errorAt(s.start, "more than %d custom sections; raise limits.entries", c.lim.Entries)
			}
			continue
		}
		if place[s.id] <= place[last.id] {
			if s.id == last.id {
				return errorAt(s.start, "a second %s section", sectionNames[s.id])
			}
			return errorAt(s.start, "the %s section stands behind the %s section",
				sectionNames[s.id], sectionNames[last.id])
		}
		last = s
	}
	return nil
}

func (c *checker) section(s section) {
	switch s.id {
	case secCustom:
		c.custom(s)
	case secType:
		c.vector("types", c.lim.Entries, "entries", c.funcType)
	case secImport:
		c.vector("imports", c.lim.Entries, "entries", c.importEntry)
	case secFunction:
		c.declared = c.vector("functions", c.lim.Functions-c.imported, "functions", func() { c.r.u32("a type index") })
	case secTable:
		c.vector("tables", c.lim.Tables-c.tables, "tables", c.table)
	case secMemory:
		c.vector("memories", c.lim.Entries, "entries", c.memory)
	case secGlobal:
		c.vector("globals", c.lim.Entries, "entries", func() { c.globalType(); c.constExpr() })
	case secExport:
		c.vector("exports", c.lim.Entries, "entries", c.export)
	case secStart:
		c.r.u32("the index of the start function")
		c.info.HasStart = true
	case secElement:
		c.vector("element segments", c.lim.Entries, "entries", c.element)
	case secCode:
		c.info.Functions = c.vector("functions", c.lim.Functions-c.imported, "functions", c.body)
	case secData:
		c.vector("data segments", c.lim.Entries, "entries", c.dataSegment)
	case secDataCount:
		at := c.r.pos
		if n := c.r.u32("the data count"); uint64(n) > uint64(c.lim.Entries) {
			c.r.fail(at, "%d data segments are above the limit of %d; raise limits.entries", n, c.lim.Entries)
		}
	}
}

// vector decodes a length and as many items, and returns their number. The limit is named by its key in the error.
func (c *checker) vector(what string, limit int, key string, item func()) int {
	at := c.r.pos
	n := c.r.count(what)
	if n > limit {
		c.r.fail(at, "%d %s are above the limit of %d; raise limits.%s", n, what, max(limit, 0), key)
	}
	for i := 0; i < n && c.r.err == nil; i++ {
		item()
	}
	return n
}
