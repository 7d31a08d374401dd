package sandbox

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/wcron/wcron/sandbox/meter"
)

// Budget is the memory that a group of runs may take together. All methods can be called concurrently.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of that many bytes; 0 or less is without a limit, but counts.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// InUse is what live instances hold, in bytes. Where memory is not reserved (see regions), room for growth is included.
func (b *Budget) InUse() int64 { return b.used.Load() }

// Limit is the size of the budget in bytes, or 0 if it has none.
func (b *Budget) Limit() int64 { return max(b.limit, 0) }

// Reserve takes n bytes for a run that is to begin: hand them over as Run.Reserved, or give them back with Release. It
// takes nothing if there is no room for all of them.
func (b *Budget) Reserve(n int64) bool {
	for {
		used := b.used.Load()
		if b.limit > 0 && used+n > b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// Release gives back what was reserved for a run that did not come to begin.
func (b *Budget) Release(n int64) { b.used.Add(-n) }

// memory backs the memory of one instance. Only the goroutine of its run uses it.
type memory struct {
	limit   int64
	budget  *Budget
	broke   func(want int64) // called, and does not return, when the budget is used up
	pace    func()           // called between the steps of a long copy; nil does nothing
	regions *regions         // nil takes all memory from the heap
	region  *region          // that the memory lies in, if it does not lie in the heap
	buf     []byte
	aside   int64 // bytes of blocks beside the instance's memory; they count against the limit and the budget too
	charged int64 // bytes taken from the budget
	top     int64 // the most that the instance had
	peak    int64 // the same with blocks
	denied  int64 // size of the growth that was refused last at the limit; 0 if none was
}

// Allocate is called by the engine once for an instance with a memory.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate grows the memory; nil becomes the -1 of memory.grow.
func (m *memory) Reallocate(size uint64) []byte {
	want := int64(size)
	if want+m.aside > m.limit {
		m.denied = want
		return nil
	}
	if m.buf == nil && m.regions != nil {
		m.region = m.regions.take(m.limit)
	}
	if m.region != nil {
		m.mustCharge(want)
		m.buf = m.region.b[:want:want]
	} else {
		m.reallocate(want)
	}
	m.top, m.peak = max(m.top, want), max(m.peak, want+m.aside)
	return m.buf
}

// reallocate grows a memory in the heap. Growth in small steps is given spare room, so that it does not copy the whole
// memory each time.
func (m *memory) reallocate(want int64) {
	if want > int64(cap(m.buf)) {
		spare := max(want, min(2*int64(cap(m.buf)), m.limit)) &^ (meter.PageSize - 1)
		if !m.charge(spare) {
			spare = want
			m.mustCharge(want)
		}
		buf := make([]byte, want, spare)
		m.copyTo(buf)
		m.buf = buf
	}
	m.buf = m.buf[:want]
}

// copyTo copies the memory in steps, since one of them cannot be interrupted.
func (m *memory) copyTo(buf []byte) {
	const step = 1 << 20
	for at := 0; at < len(m.buf); at += step {
		copy(buf[at:], m.buf[at:min(at+step, len(m.buf))])
		if m.pace != nil {
			m.pace()
		}
	}
}

// take makes room for a block; it fails at the run's own limit.
func (m *memory) take(n int64) bool {
	if want := int64(len(m.buf)) + m.aside + n; want > m.limit {
		m.denied = want
		return false
	}
	m.aside += n
	if !m.charge(int64(cap(m.buf))) {
		m.aside -= n
		m.broke(n)
	}
	m.peak = max(m.peak, int64(len(m.buf))+m.aside)
	return true
}

// giveBack ends what take has taken. The budget gets it back with the run.
func (m *memory) giveBack(n int64) { m.aside -= n }

// charge makes sure that the instance's memory of that size, and what lies beside it, are taken from the budget.
func (m *memory) charge(total int64) bool {
	total += m.aside
	if m.budget == nil || total <= m.charged {
		return true
	}
	if !m.budget.Reserve(total - m.charged) {
		return false
	}
	m.charged = total
	return true
}

// mustCharge does so or ends the guest.
func (m *memory) mustCharge(total int64) {
	if !m.charge(total) {
		m.broke(total)
	}
}

// Free does nothing: the engine calls it while calls of the guest are still on the stack, and forgets to on several of
// its failure paths. The run calls release.
func (m *memory) Free() {}

// release gives everything back once the guest is gone.
func (m *memory) release() {
	if m.budget != nil {
		m.budget.Release(m.charged)
	}
	if m.region != nil {
		m.regions.give(m.region, m.top)
	}
	m.charged, m.buf, m.region = 0, nil, nil
}
