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

// InUse is what live instances hold, in bytes, spare room for their growth included.
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

// largeFrom is the size in bytes from which a memory asks for large pages: filling it takes half of the time then.
const largeFrom = 8 << 20

// memory backs the memory of one instance. Only the goroutine of its run uses it.
//
// It is a reserved range of addresses, of which as much can be used as the guest has: it never moves, growing copies
// nothing, the collector does not see it, and the system has it back as soon as the run is over. Where the system
// reserves nothing, it comes from the Go heap.
type memory struct {
	limit   int64
	budget  *Budget
	broke   func(want int64)          // called, and does not return, when the budget is used up
	failed  func(want int64, _ error) // the same when the system has no more memory
	pace    func()                    // called between the steps of a long copy; nil does nothing
	most    int64                     // bytes that the module may grow to
	whole   []byte                    // the reserved range
	buf     []byte
	charged int64 // bytes taken from the budget
	peak    int64
	denied  int64 // size of the growth that was refused last at the limit; 0 if none was
}

// Allocate is called by the engine once for an instance with a memory.
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	m.most = int64(min(most, uint64(m.limit)))
	return m
}

// Reallocate grows the memory; nil becomes the -1 of memory.grow.
func (m *memory) Reallocate(size uint64) []byte {
	want := int64(size)
	if want > m.limit {
		m.denied = want
		return nil
	}
	if m.buf == nil {
		if m.most > 0 {
			m.whole = reserve(m.most)
		}
		m.buf = []byte{} // of size 0, but not nil, which would be a refusal
	}
	if want > int64(len(m.buf)) {
		if m.whole != nil {
			m.extend(want)
		} else {
			m.copyGrow(want)
		}
	}
	m.buf = m.buf[:want]
	m.peak = max(m.peak, want)
	return m.buf
}

// extend makes more of the reserved range usable.
func (m *memory) extend(want int64) {
	if !m.charge(want) {
		m.broke(want)
	}
	if err := back(m.whole[len(m.buf):want]); err != nil {
		m.failed(want, err)
	}
	if int64(len(m.buf)) < largeFrom && want >= largeFrom {
		large(m.whole)
	}
	m.buf = m.whole[:want]
}

// copyGrow moves the memory to a larger place. Growth in small steps is given spare room, so that it does not copy the
// whole memory each time.
func (m *memory) copyGrow(want int64) {
	if want <= int64(cap(m.buf)) {
		return
	}
	spare := max(want, min(2*int64(cap(m.buf)), m.limit)) &^ (meter.PageSize - 1)
	if !m.charge(spare) {
		spare = want
		if !m.charge(want) {
			m.broke(want)
		}
	}
	buf := make([]byte, want, spare)
	m.copyTo(buf)
	m.buf = buf
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

// charge makes sure that this many bytes in all are taken from the budget.
func (m *memory) charge(total int64) bool {
	if m.budget == nil || total <= m.charged {
		return true
	}
	if !m.budget.Reserve(total - m.charged) {
		return false
	}
	m.charged = total
	return true
}

// Free is called by the engine, which forgets it on several of its failure paths and may look at the memory afterwards,
// such as for the guest's last write. So nothing is given back before the run is over.
func (m *memory) Free() {}

// free gives everything back, once nobody uses the memory any more.
func (m *memory) free() {
	if m.budget != nil {
		m.budget.Release(m.charged)
	}
	if m.whole != nil {
		release(m.whole)
	}
	m.charged, m.buf, m.whole = 0, nil, nil
}
