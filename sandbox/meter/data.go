package meter

import "slices"

// Some linkers leave the zeros out of the initial memory, and end with tens of thousands of data segments. An engine
// takes longer for so many than for the zeros, at each instantiation. So segments that follow each other at known
// places are joined.

const (
	mostZeros = 64 // written to join two segments; a segment takes some ten bytes itself
	mostRuns  = 64 // that are remembered
)

// dataRun is what was read of segments that are joined. The zeros between them are those of a fresh memory.
type dataRun struct {
	open       bool
	begin, end int64 // the memory that it fills
	content    code
	before     [][2]int64 // what other runs filled: zeros must not be written there
}

// free tells whether no other run filled anything between these places.
func (d *dataRun) free(begin, end int64) bool {
	return begin == end || len(d.before) < mostRuns &&
		!slices.ContainsFunc(d.before, func(other [2]int64) bool { return begin < other[1] && other[0] < end })
}

// dataSegment reads a data segment. One that cannot be joined with others is copied.
func (w *rewriter) dataSegment(r *reader, out *code) {
	begin := r.pos
	if at, known := w.place(r); known {
		n := r.count("bytes of a data segment")
		w.join(at, r.bytes(n, "a data segment"))
		return
	}
	r.pos = begin
	w.endRun()
	flags := r.u32("the flags of a data segment")
	out.u32(flags)
	if flags == 2 {
		out.u32(r.readIndex("memory", w.memories))
	}
	if flags != 1 {
		r.index(r.pos, "memory", 0, w.memories)
		w.constant(r, out)
	}
	n := r.count("bytes of a data segment")
	out.sized(r.bytes(n, "a data segment"))
	w.run.before = append(w.run.before, [2]int64{0, 1 << 32}) // wherever it lies
}

// place reads the head of a segment, and tells where it lies if the memory is the module's own, nothing refers to the
// segment later, and its place is a plain number.
func (w *rewriter) place(r *reader) (at int64, known bool) {
	if w.usesData || w.dataCount >= 0 && w.dataCount != len(w.data) || w.counts[secMemory] == 0 || r.left() < 2 || r.b[r.pos] != 0 || r.b[r.pos+1] != opI32Const {
		return 0, false
	}
	r.pos += 2
	at = int64(uint32(r.sleb(32, "a constant")))
	return at, r.byte("a constant expression") == opEnd && r.err == nil
}

// join appends a segment to the run, or begins another one with it.
func (w *rewriter) join(at int64, content []byte) {
	run := &w.run
	gap := at - run.end
	if run.open && gap >= 0 && gap <= mostZeros && run.free(run.end, at) {
		w.counts[secData]--
		run.content.raw(make([]byte, gap)...)
	} else {
		w.endRun()
		run.open, run.begin, run.end, run.content = true, at, at, run.content[:0]
	}
	run.content.raw(content...)
	run.end = at + int64(len(content))
}

// endRun writes the run, and how many segments there are by now if the module says so before its code.
func (w *rewriter) endRun() {
	if w.run.open {
		w.run.open = false
		out := &w.parts[secData]
		out.u32(0)
		out.i32(int32(uint32(w.run.begin)))
		out.raw(opEnd)
		out.sized(w.run.content)
		if len(w.run.before) < mostRuns {
			w.run.before = append(w.run.before, [2]int64{w.run.begin, w.run.end})
		}
	}
	if w.dataCount == len(w.data) {
		w.parts[secDataCount] = w.parts[secDataCount][:0]
		w.parts[secDataCount].u32(uint32(w.counts[secData]))
	}
}
