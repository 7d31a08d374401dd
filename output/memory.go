package output

import "bytes"

// ring keeps the first and the last bytes of a stream in memory, at most limit together.
type ring struct {
	head, tail       []byte
	headMax, tailMax int
	at               int // where the oldest byte of a full tail is, and the next one goes
	total            int64
}

func newRing(limit int64) *ring {
	return &ring{headMax: int(limit / 2), tailMax: int(limit - limit/2)}
}

func (r *ring) write(p []byte) {
	r.total += int64(len(p))
	n := min(len(p), r.headMax-len(r.head))
	r.head = extend(r.head, p[:n], r.headMax)
	p = p[n:]
	n = min(len(p), r.tailMax-len(r.tail))
	r.tail = extend(r.tail, p[:n], r.tailMax)
	p = p[n:]
	if skip := len(p) - r.tailMax; skip > 0 {
		p = p[skip:] // the rest overwrites the whole ring, wherever it starts
	}
	for len(p) > 0 {
		n := copy(r.tail[r.at:], p)
		r.at = (r.at + n) % r.tailMax
		p = p[n:]
	}
}

func (r *ring) view() *view {
	v := &view{}
	v.add(0, int64(len(r.head)), bytes.NewReader(r.head))
	from := r.total - int64(len(r.tail))
	v.add(from, int64(len(r.tail)-r.at), bytes.NewReader(r.tail[r.at:]))
	v.add(from+int64(len(r.tail)-r.at), int64(r.at), bytes.NewReader(r.tail[:r.at]))
	return v
}

// extend appends p to b, which must fit into limit. Unlike append it never takes more memory than limit.
func extend(b, p []byte, limit int) []byte {
	need := len(b) + len(p)
	if need > cap(b) {
		grown := make([]byte, len(b), min(limit, max(need, 2*cap(b))))
		copy(grown, b)
		b = grown
	}
	return append(b, p...)
}
