package meter

import "fmt"

// The parts of a name section that engines read.
const (
	nameModule   = 0
	nameFunction = 1
	nameLocal    = 2
)

// maxNames bounds the name section in bytes. Engines unpack it to several times its size.
const maxNames = 8 << 20

// custom passes over a custom section, and looks into the one with names: a module is not refused for it, but it may
// have to go.
func (c *checker) custom(s section) {
	if s.name == "name" {
		c.names++
		in := &checker{r: &reader{b: c.r.b, pos: s.body, end: s.end}, lim: c.lim}
		if c.names > 1 || s.end-s.body > maxNames || !in.nameSection() {
			c.info.DropNames = true
		}
	}
	c.r.pos = s.end
}

// nameSection tells whether a name section is well-formed.
func (c *checker) nameSection() bool {
	for c.r.err == nil && c.r.left() > 0 {
		id := c.r.byte("a kind of names")
		size := c.r.count("bytes of names")
		part := &checker{r: &reader{b: c.r.b, pos: c.r.pos, end: c.r.pos + size, err: c.r.err}, lim: c.lim}
		c.r.bytes(size, "names")
		switch id {
		case nameModule:
			part.r.name("a module name")
		case nameFunction:
			part.nameMap(c.lim.Functions)
		case nameLocal:
			n := part.r.count("functions with named locals")
			for i := 0; i < n && part.r.err == nil; i++ {
				part.r.u32("a function index")
				part.nameMap(c.lim.Locals)
			}
		default:
			continue // engines pass over the kinds that they do not know
		}
		if part.r.err != nil || part.r.left() > 0 {
			return false
		}
	}
	return c.r.err == nil
}

func (c *checker) nameMap(limit int) {
	c.vector("names", limit, "functions", func() {
		c.r.u32("an index")
		c.r.name("a name")
	})
}

// longestName bounds a function's name in an error, in bytes.
const longestName = 120

// functionLabel says which function that is, with its name if the module tells it.
func functionLabel(wasm []byte, list []section, index int) string {
	for _, s := range list {
		if s.id != secCustom || s.name != "name" {
			continue
		}
		r := &reader{b: wasm, pos: s.body, end: s.end}
		for r.err == nil && r.left() > 0 {
			id := r.byte("a kind of names")
			size := r.count("bytes of names")
			in := &reader{b: wasm, pos: r.pos, end: r.pos + size, err: r.err}
			r.bytes(size, "names")
			if id != nameFunction {
				continue
			}
			for n := in.count("names"); n > 0 && in.err == nil; n-- {
				at, name := in.u32("an index"), in.name("a name")
				if in.err == nil && int64(at) == int64(index) {
					return fmt.Sprintf("function %d %q", index, name[:min(len(name), longestName)])
				}
			}
		}
	}
	return fmt.Sprintf("function %d", index)
}
