package meter

// What decides where fuel is charged. A point is a place in the code at which the cost of some code is taken from the
// fuel. Each function has one at its entry and one at the head of each loop, and these are checked: nothing runs for
// long without passing one of them. In between, code that is not always reached is charged where it begins if it is
// worth it, and with the point before it if not, so fuel is an upper bound, the same for the same run.
const (
	ownPoint   = 24   // conditional code of this cost gets a point of its own
	mostMerged = 48   // and so does any, once that much of it is charged with a point before
	longest    = 4096 // straight code is cut into pieces of this cost
	checked    = 1024 // a point that charges as much as this is checked
	freeLeaf   = 8    // a function without calls and loops that costs no more is paid for by the call
)

type point struct {
	cost   int64
	merged int64 // part of it that may not be reached
	head   bool  // of a loop
	split  bool  // inside straight code, so that it is checked
	loop   int   // that it is in, or noLoop
}

// loop is a loop of a function. One that repeats and neither calls nor runs a helper is tight: nobody else changes the
// fuel while it runs, so it is kept in a local as well, which spares loading it in each turn; and it is put into another
// loop, which holds the call to the host, so that the registers of its turns are not disturbed by that.
type loop struct {
	parent    int
	disturbed bool
	repeated  bool

	// What settle adds up once the whole function was walked.
	cached bool   // the fuel is held in a local in it
	tights uint32 // how many tight loops it is in, itself included
}

const noLoop = -1

// label is a branch target: how many labels there are in between, and the loops that the branch and its target are in.
type label struct {
	depth    uint32
	from, to int
}

// state says which point the code at hand is charged with, and whether the code may be passed by when that point is not.
type state struct {
	open        int
	conditional bool
	slot        int // index of the edit where a point of its own would go
	inside      int // the loop that the code is in
}

// meterage collects the points and the other changes of one function, in the order of the code.
type meterage struct {
	state
	points  []point
	edits   []edit
	loops   []loop
	labels  []label
	stretch int64 // cost of the code that belongs to no point yet
}

type editKind byte

const (
	editPoint   editKind = iota // charge at point index, if there is one
	editCall                    // call function index
	editRef                     // ref.func of it
	editReturn                  // leave the function by way of labels[index]
	editBranch                  // branch to labels[index:last]
	editLoop                    // a loop begins
	editLoopEnd                 // a loop ends
)

const noPoint = ^uint32(0)

// edit replaces skip bytes of the code, or inserts.
type edit struct {
	at, skip int
	kind     editKind
	index    uint32
	last     uint32
}

func (m *meterage) edit(e edit) { m.edits = append(m.edits, e) }

// begin makes the point at the entry of the function.
func (m *meterage) begin() {
	m.points = append(m.points[:0], point{loop: noLoop})
	m.edits, m.loops, m.labels = m.edits[:0], m.loops[:0], m.labels[:0]
	m.state = state{inside: noLoop}
	m.stretch = 0
}

// cost counts an instruction that begins at that offset.
func (w *walk) cost(at int, cost int64) {
	if f := w.top(); f.dead || f.cold {
		return
	}
	if w.stretch >= longest {
		w.flush()
		w.insert(at, point{split: true, loop: w.top().loop})
	}
	w.stretch += cost
}

// insert makes a point that the code behind it is charged with.
func (m *meterage) insert(at int, p point) int {
	m.points = append(m.points, p)
	i := len(m.points) - 1
	m.edit(edit{at: at, kind: editPoint, index: uint32(i)})
	m.state = state{open: i, inside: p.loop}
	return i
}

// repeat notes a loop that begins at one offset and whose code begins at another, and makes the point at its head.
func (m *meterage) repeat(at, code, parent int) int {
	m.loops = append(m.loops, loop{parent: parent})
	i := len(m.loops) - 1
	m.edit(edit{at: at, kind: editLoop, index: uint32(i)})
	m.insert(code, point{head: true, loop: i})
	return i
}

// disturb notes that the fuel changes behind the back of the loops that the code is in.
func (w *walk) disturb() {
	for i := w.top().loop; i != noLoop && !w.loops[i].disturbed; i = w.loops[i].parent {
		w.loops[i].disturbed = true
	}
}

func (m *meterage) tight(i int) bool { return m.loops[i].repeated && !m.loops[i].disturbed }

// settle decides for each loop what the loops around it have a part in. An outer loop has a lower index.
func (m *meterage) settle() {
	for i := range m.loops {
		l := &m.loops[i]
		tight := m.tight(i)
		l.cached, l.tights = tight, m.tights(l.parent)
		if tight {
			l.tights++
		}
		if l.parent != noLoop && !l.disturbed {
			l.cached = l.cached || m.loops[l.parent].cached
		}
	}
}

// cached tells whether the fuel is held in a local in that loop.
func (m *meterage) cached(i int) bool { return i != noLoop && m.loops[i].cached }

func (m *meterage) tights(i int) uint32 {
	if i == noLoop {
		return 0
	}
	return m.loops[i].tights
}

// depth is how many labels are between a branch and its target once those of tight loops are added.
func (m *meterage) depth(l label) uint32 {
	return l.depth + m.tights(l.from) - m.tights(l.to)
}

// mark begins code that is charged with the open point, or gets one of its own.
func (m *meterage) mark(at, open, inside int, conditional bool) {
	m.state = state{open: open, conditional: conditional, slot: len(m.edits), inside: inside}
	if conditional {
		m.edit(edit{at: at, kind: editPoint, index: noPoint})
	}
}

// flush decides where the code since the last mark is charged.
func (m *meterage) flush() {
	if m.stretch == 0 {
		return
	}
	p := &m.points[m.open]
	if m.conditional && (m.stretch >= ownPoint || p.merged+m.stretch > mostMerged) {
		m.points = append(m.points, point{loop: m.inside})
		m.edits[m.slot].index = uint32(len(m.points) - 1)
		m.state = state{open: len(m.points) - 1, inside: m.inside}
		p = &m.points[m.open]
	}
	p.cost += m.stretch
	if m.conditional {
		p.merged += m.stretch
	}
	m.stretch = 0
}
