package meter

// body decodes the head of one function: its size and its locals. Its instructions are passed over.
func (c *checker) body() {
	index := c.imported + c.bodies
	c.bodies++
	at := c.r.pos
	size := c.r.count("bytes of a function")
	if int64(size) > c.lim.FunctionSize {
		c.r.fail(at, "code of %s is above the limit of %s; raise limits.function_size",
			FormatBytes(int64(size)), FormatBytes(c.lim.FunctionSize))
	}
	in := &checker{r: &reader{b: c.r.b, pos: c.r.pos, end: c.r.pos + size, err: c.r.err}, lim: c.lim}
	c.r.bytes(size, "a function")
	c.locals += in.readLocals()
	if c.locals > c.lim.AllLocals {
		in.r.fail(at, "with it, all functions have %d locals, above the limit of %d; raise limits.all_locals", c.locals, c.lim.AllLocals)
	}
	const end = 0x0b
	if last := in.r.end - 1; in.r.err == nil && (in.r.left() == 0 || in.r.b[last] != end) {
		in.r.fail(last, "the code does not close with an end instruction")
	}
	if in.r.err != nil {
		c.r.err = in.r.err
		c.r.err.Func = functionLabel(c.r.b, c.list, index)
	}
}

// readLocals decodes the groups of locals at the head of a function, each a count and a type, and returns their sum.
func (c *checker) readLocals() int64 {
	at := c.r.pos
	groups := c.r.count("groups of locals")
	var sum uint64
	for i := 0; i < groups && c.r.err == nil; i++ {
		sum += uint64(c.r.u32("a number of locals"))
		c.valueType()
		if sum > uint64(c.lim.Locals) {
			c.r.fail(at, "%d locals and more are above the limit of %d; raise limits.locals", sum, c.lim.Locals)
		}
	}
	return int64(sum)
}
