package meter

import "unicode/utf8"

// reader walks over a part of a module. The first fault sticks: every later read returns zero, so that a decoder
// needs to look at err only where it loops or decides. Offsets are those of the whole module.
type reader struct {
	b   []byte // the whole module
	pos int
	end int // no read goes past it
	err *Error
}

func (r *reader) fail(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = errorAt(offset, format, args...)
		r.pos = r.end
	}
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte(what string) byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= r.end {
		r.fail(r.pos, "%s is cut off", what)
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

// uleb reads an unsigned LEB128 number of at most bits bits, in the strict form that the specification asks for.
func (r *reader) uleb(bits uint, what string) uint64 {
	at := r.pos
	var v uint64
	for shift := uint(0); ; shift += 7 {
		c := r.byte(what)
		if r.err != nil {
			return 0
		}
		if shift+7 > bits && (shift >= bits || c>>(bits-shift) != 0) {
			r.fail(at, "%s is not a number of %d bits", what, bits)
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
	}
}

func (r *reader) u32(what string) uint32 { return uint32(r.uleb(32, what)) }

// skipSleb passes over a signed LEB128 number of at most bits bits.
func (r *reader) skipSleb(bits uint, what string) {
	at := r.pos
	for shift := uint(0); ; shift += 7 {
		c := r.byte(what)
		if r.err != nil || c&0x80 == 0 {
			return
		}
		if shift+7 >= bits {
			r.fail(at, "%s is not a number of %d bits", what, bits)
			return
		}
	}
}

// count reads the length of a vector whose items take at least one byte each.
func (r *reader) count(what string) int {
	at := r.pos
	n := r.u32("the number of " + what)
	if r.err == nil && uint64(n) > uint64(r.left()) {
		r.fail(at, "%d %s are announced, but only %d bytes are left", n, what, r.left())
		return 0
	}
	return int(n)
}

func (r *reader) bytes(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left() {
		r.fail(r.pos, "%s is cut off: %d bytes announced, %d left", what, n, r.left())
		return nil
	}
	r.pos += n
	return r.b[r.pos-n : r.pos : r.pos]
}

func (r *reader) name(what string) string {
	at := r.pos
	n := r.u32("the length of " + what)
	if r.err == nil && uint64(n) > uint64(r.left()) {
		r.fail(at, "%s is cut off: %d bytes announced, %d left", what, n, r.left())
	}
	b := r.bytes(int(n), what)
	if r.err == nil && !utf8.Valid(b) {
		r.fail(at, "%s is not valid UTF-8", what)
	}
	if r.err != nil {
		return ""
	}
	return string(b)
}

// sleb reads a signed LEB128 number of at most bits bits. That unused bits repeat the sign is left to the engine.
func (r *reader) sleb(bits uint, what string) int64 {
	begin := r.pos
	r.skipSleb(bits, what)
	if r.err != nil {
		return 0
	}
	var v uint64
	shift := uint(0)
	for _, c := range r.b[begin:r.pos] {
		v |= uint64(c&0x7f) << shift
		shift += 7
	}
	if shift < 64 && r.b[r.pos-1]&0x40 != 0 {
		v |= ^uint64(0) << shift
	}
	return int64(v)
}
