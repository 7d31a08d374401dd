package meter

// The bytes that stand for types.
const (
	typeV128       = 0x7b
	typeI64        = 0x7e
	typeI32        = 0x7f
	typeExnref     = 0x69
	typeExternref  = 0x6f
	typeFuncref    = 0x70
	refNullable    = 0x63
	refNonNullable = 0x64
	typeFunc       = 0x60
)

func (c *checker) funcType() {
	begin := c.r.pos
	checkForm(c.r, begin, c.r.byte("a type"))
	for _, what := range [...]string{"parameters", "results"} {
		at := c.r.pos
		n := c.r.count(what)
		if n > c.lim.Params {
			c.r.fail(at, "type %d: %d %s are above the limit of %d; raise limits.params", c.types, n, what, c.lim.Params)
		}
		if c.params += n; c.params > c.lim.AllParams {
			c.r.fail(at, "type %d: with it, all types have %d parameters and results, above the limit of %d; raise limits.all_params",
				c.types, c.params, c.lim.AllParams)
		}
		for i := 0; i < n && c.r.err == nil; i++ {
			c.valueType()
		}
	}
	c.types++
}

func (c *checker) valueType() {
	at := c.r.pos
	switch t := c.r.byte("a value type"); {
	case t >= typeV128 && t <= typeI32, t == typeFuncref, t == typeExternref, t == typeExnref:
	case t == refNullable, t == refNonNullable:
		c.r.skipSleb(33, "a heap type")
	default:
		c.r.fail(at, "value type %#x is unknown", t)
	}
}

func (c *checker) importEntry() {
	at := c.r.pos
	i := Import{Module: c.r.name("the module of an import"), Name: c.r.name("the name of an import")}
	kindAt := c.r.pos
	i.Kind = Kind(c.r.byte("the kind of an import"))
	switch i.Kind {
	case Func:
		c.r.u32("a type index")
		if c.imported++; c.imported > c.lim.Functions {
			c.r.fail(at, "more than %d imported functions; raise limits.functions", c.lim.Functions)
		}
	case Table:
		if c.tables >= c.lim.Tables {
			c.r.fail(at, "more than %d tables; raise limits.tables", c.lim.Tables)
		}
		c.table()
	case Memory:
		c.memory()
	case Global:
		c.globalType()
	default:
		c.r.fail(kindAt, "import kind %#x: %s", byte(i.Kind), exceptions)
	}
	c.info.Imports = append(c.info.Imports, i)
}

func (c *checker) export() {
	e := Export{Name: c.r.name("the name of an export")}
	at := c.r.pos
	e.Kind = Kind(c.r.byte("the kind of an export"))
	if e.Kind > Global {
		c.r.fail(at, "export kind %#x is unknown", byte(e.Kind))
	}
	e.Index = c.r.u32("the index of an export")
	c.info.Exports = append(c.info.Exports, e)
}

func (c *checker) globalType() {
	c.valueType()
	at := c.r.pos
	if m := c.r.byte("the mutability of a global"); m > 1 {
		c.r.fail(at, "mutability %#x is neither 0 nor 1", m)
	}
}

// table decodes the type of a table, and the initial value that it may have.
func (c *checker) table() {
	const withInit = 0x40
	c.tables++
	init := c.r.left() > 0 && c.r.b[c.r.pos] == withInit
	if init {
		c.r.bytes(2, "the type of a table")
	}
	c.valueType()
	at := c.r.pos
	least, _, _, _ := c.limits("table")
	if int64(least) > c.lim.TableSize {
		c.r.fail(at, "a table of %d entries is above the limit of %d; raise limits.table_size", least, c.lim.TableSize)
	}
	if init {
		c.constExpr()
	}
}

func (c *checker) memory() {
	at := c.r.pos
	if c.memories++; c.memories > 1 {
		c.r.fail(at, "a second memory: the multi-memory feature is not run; build without it")
		return
	}
	least, most, hasMax, ok := c.limits("memory")
	if !ok {
		return
	}
	if size := int64(least) * PageSize; size > c.lim.Memory {
		c.r.fail(at, "memory minimum of %s is above the limit of %s; raise limits.memory",
			FormatBytes(size), FormatBytes(c.lim.Memory))
	}
	if hasMax && most > 1<<16 {
		c.r.fail(at, "memory maximum of %d pages is above 65536", most)
	}
	c.info.HasMemory, c.info.MinPages, c.info.MaxPages, c.info.HasMax = true, least, most, hasMax
}

// limits decodes the minimum and maximum of a table or memory.
func (c *checker) limits(what string) (least, most uint32, hasMax, ok bool) {
	const flagMax, flagShared, flag64 = 1, 2, 4
	at := c.r.pos
	flags := c.r.byte("the limits of a " + what)
	switch {
	case flags > flagMax|flagShared|flag64:
		c.r.fail(at, "limits flag %#x is unknown", flags)
	case flags&flag64 != 0:
		c.r.fail(at, "the %s has 64-bit addresses: the memory64 feature is not run; build for wasm32", what)
	case flags&flagShared != 0:
		c.r.fail(at, "the %s is shared: the threads feature is not run; build without threads", what)
	}
	least = c.r.u32("the minimum of a " + what)
	if hasMax = flags&flagMax != 0; hasMax {
		most = c.r.u32("the maximum of a " + what)
		if most < least {
			c.r.fail(at, "the maximum of a %s is below its minimum", what)
		}
	}
	return least, most, hasMax, c.r.err == nil
}
