package meter

// What decides where fuel is charged. A point is a place in the code at which the cost of some code is taken from the
// fuel. Each function has one at its entry and one at the head of each loop, and these are checked: nothing runs for
// long without passing one of them. In between, code that is not always reached is charged where it begins if it is
// worth it, and with the point before it if not, so fuel is an upper bound, the same for the same run.
const (
	ownPoint      = 48   // conditional code of this cost gets a point of its own
	mostMerged    = 128  // and so does any, once that much of it is charged with a point before
	longest       = 4096 // straight code is cut into pieces of this cost
	checked       = 1024 // a point that charges as much as this is checked
	mostMoved     = 16   // the entry of a function that begins with a loop is charged with the loop if it costs no more
	mostCopies    = 4    // of the code of a loop,
	unrolledCost  = 128  // as long as they cost no more together
	unrolledBytes = 512  // and take no more of the code
	freeEntry     = 16   // an entry that costs no more is paid for by the call
)

type point struct {
	cost   int64
	merged int64 // part of it that may not be reached
	head   bool  // of a loop
	split  bool  // inside straight code, so that it is checked
	loop   int   // that it is in, or noLoop
}

// loop is a loop of a function. One that repeats is wrapped: it is put into another loop, which holds the call to the
// host, so that the registers of its turns are not disturbed by that. If it is small and holds neither calls nor loops,
// several turns are charged at once.
type loop struct {
	parent    int
	point     int  // at its head
	code, end int  // offsets of its first instruction and of its end
	begin     int  // index of the edit where it begins; the next one is its point
	last      int  // and where it ends
	fed       bool // it takes values
	disturbed bool // it calls
	holds     bool // it holds loops
	repeated  bool
	wraps     uint32 // wrapped loops that it is in, itself included; settle counts them
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
	first   int   // the loop that the function begins with, or noLoop
	copying int   // the loop of which a copy that is not the last one is being written, or noLoop
}

type editKind byte

const (
	editPoint    editKind = iota // charge at point index, if there is one
	editDeeper                   // a function is called that may count on the stack
	editDeepCall                 // call function index, which may do so
	editCall                     // call function index
	editRef                      // ref.func of it
	editReturn                   // leave the function by way of labels[index]
	editBranch                   // branch to labels[index:last]
	editLoop                     // a loop begins
	editLoopEnd                  // a loop ends
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
	m.stretch, m.first, m.copying = 0, noLoop, noLoop
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
func (m *meterage) repeat(at, code, parent int, fed bool) int {
	i, first := len(m.loops), len(m.edits) == 0 && m.points[0].cost <= mostMoved
	m.loops = append(m.loops, loop{parent: parent, fed: fed, code: code, begin: len(m.edits)})
	if parent != noLoop {
		m.loops[parent].holds = true
	}
	m.edit(edit{at: at, kind: editLoop, index: uint32(i)})
	m.loops[i].point = m.insert(code, point{head: true, loop: i})
	if first {
		m.first = i
		m.points[1].cost, m.points[0].cost = m.points[0].cost, 0
	}
	return i
}

// closed notes where a loop ends.
func (m *meterage) closed(at, i int) {
	m.loops[i].end, m.loops[i].last = at, len(m.edits)
	m.edit(edit{at: at, kind: editLoopEnd, index: uint32(i)})
}

// checkedAtHead tells whether the function begins with a loop whose head checks the fuel.
func (m *meterage) checkedAtHead() bool { return m.first != noLoop && m.wrapped(m.first) }

// disturb notes that the fuel changes behind the back of the loops that the code is in.
func (w *walk) disturb() {
	for i := w.top().loop; i != noLoop && !w.loops[i].disturbed; i = w.loops[i].parent {
		w.loops[i].disturbed = true
	}
}

func (m *meterage) wrapped(i int) bool { return m.loops[i].repeated && !m.loops[i].fed }

// copies is how often the code of a loop is written, one behind the other.
func (m *meterage) copies(i int) int {
	l := &m.loops[i]
	if !m.wrapped(i) || l.disturbed || l.holds {
		return 1
	}
	return int(min(mostCopies, unrolledCost/max(m.points[l.point].cost, 1), int64(unrolledBytes/(l.end-l.code))))
}

// settle counts the wrapped loops that each loop is in, itself included. An outer loop has a lower index.
func (m *meterage) settle() {
	for i := range m.loops {
		m.loops[i].wraps = m.wraps(m.loops[i].parent)
		if m.wrapped(i) {
			m.loops[i].wraps++
		}
	}
}

func (m *meterage) wraps(i int) uint32 {
	if i == noLoop {
		return 0
	}
	return m.loops[i].wraps
}

// depth is how many labels are between a branch and its target once those of wrapped loops and of copies are added.
func (m *meterage) depth(l label) uint32 {
	depth := l.depth + 3*(m.wraps(l.from)-m.wraps(l.to))
	if m.copying != noLoop && l.to != m.copying {
		depth++
	}
	return depth
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
