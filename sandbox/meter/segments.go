package meter

// constExpr passes over an initial value, up to its end instruction.
func (c *checker) constExpr() {
	for c.r.err == nil {
		at := c.r.pos
		switch op := c.r.byte("a constant expression"); op {
		case 0x0b: // end
			return
		case 0x41: // i32.const
			c.r.skipSleb(32, "a constant")
		case 0x42: // i64.const
			c.r.skipSleb(64, "a constant")
		case 0x43: // f32.const
			c.r.bytes(4, "a constant")
		case 0x44: // f64.const
			c.r.bytes(8, "a constant")
		case 0x23: // global.get
			c.r.u32("a global index")
		case 0xd0: // ref.null
			c.r.skipSleb(33, "a heap type")
		case 0xd2: // ref.func
			c.r.u32("a function index")
		case 0xfd: // v128.const
			if sub := c.r.byte("a vector instruction"); sub != 0x0c {
				c.r.fail(at, "vector instruction %#x cannot stand in a constant expression", sub)
			}
			c.r.bytes(16, "a constant")
		default:
			refuseConstant(c.r, at, op)
		}
	}
}

// element decodes an element segment. Its flags: 1 passive or declared, 2 with a table index (or, with 1, declared),
// 4 with expressions in place of function indices.
func (c *checker) element() {
	at := c.r.pos
	flags := c.r.u32("the flags of an element segment")
	if flags > 7 {
		c.r.fail(at, "element segment flags %#x are unknown", flags)
		return
	}
	active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
	if active && explicit {
		c.r.u32("a table index")
	}
	if active {
		c.constExpr()
	}
	if !active || explicit {
		if exprs {
			c.valueType()
		} else {
			c.r.byte("an element kind")
		}
	}
	at = c.r.pos
	n := c.r.count("elements")
	if c.elements += n; c.elements > c.lim.Elements {
		c.r.fail(at, "%d table entries to set are above the limit of %d; raise limits.elements", c.elements, c.lim.Elements)
	}
	for i := 0; i < n && c.r.err == nil; i++ {
		if exprs {
			c.constExpr()
		} else {
			c.r.u32("a function index")
		}
	}
}

func (c *checker) dataSegment() {
	at := c.r.pos
	switch flags := c.r.u32("the flags of a data segment"); flags {
	case 0:
		c.constExpr()
	case 1:
	case 2:
		if i := c.r.u32("a memory index"); i != 0 {
			c.r.fail(at, "memory index %d: the multi-memory feature is not run; build without it", i)
		}
		c.constExpr()
	default:
		c.r.fail(at, "data segment flags %#x are unknown", flags)
	}
	at = c.r.pos
	n := c.r.count("bytes of a data segment")
	if c.data += int64(n); c.data > c.lim.DataSize {
		c.r.fail(at, "data segments of %s and more are above the limit of %s; raise limits.data_size",
			FormatBytes(c.data), FormatBytes(c.lim.DataSize))
	}
	c.r.bytes(n, "a data segment")
}
