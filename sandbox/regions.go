package sandbox

import (
	"runtime"
	"slices"
	"sync"
)

// What is kept of the memories of runs that have ended, so that those to come need not ask the system for it. Clearing
// as much as keptEach takes about as long as to have the system do it page by page.
const (
	leastRegion = 64 << 20
	keptEach    = 4 << 20
	largeFrom   = 8 << 20 // from here on, memory comes in large pages
)

// region is address space for one memory, reserved to its limit: growing it copies nothing, and what was never touched
// takes nothing. The guest in it is alone there from take to give, and finds it full of zeros.
type region struct {
	b        []byte
	resident int64 // bytes at its beginning that may have been touched
	unmap    runtime.Cleanup
}

// regions keeps regions that are not in use. All methods can be called concurrently.
type regions struct {
	mu   sync.Mutex
	idle []*region // guarded by mu; the one used last comes last
	kept int64     // guarded by mu; bytes that are resident in them
	most int64     // of these; 0 once closed
}

func newRegions() *regions { return &regions{most: keptEach * int64(runtime.GOMAXPROCS(0))} }

// take returns a region for a memory of up to that many bytes, or nil if the system has none to give: then the memory is
// taken from the heap.
func (rs *regions) take(limit int64) *region {
	size := int64(leastRegion)
	for size < limit {
		size *= 2
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i, r := range slices.Backward(rs.idle) {
		if int64(len(r.b)) == size {
			rs.idle = slices.Delete(rs.idle, i, i+1)
			rs.kept -= r.resident
			return r
		}
	}
	b := reserve(size)
	if b == nil {
		return nil
	}
	r := &region{b: b}
	r.unmap = runtime.AddCleanup(r, unreserve, b)
	return r
}

// give takes a region back of which the guest could touch so many bytes at its beginning, and clears these.
func (rs *regions) give(r *region, used int64) {
	clear(r.b[:min(used, keptEach)])
	clean := used <= keptEach || discard(r.b[keptEach:used])
	r.resident = max(r.resident, min(used, keptEach))

	rs.mu.Lock()
	defer rs.mu.Unlock()
	if clean && rs.kept+r.resident <= rs.most {
		rs.idle = append(rs.idle, r)
		rs.kept += r.resident
		return
	}
	r.drop()
}

// close gives all back to the system, and what comes later as well.
func (rs *regions) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.idle {
		r.drop()
	}
	rs.idle, rs.kept, rs.most = nil, 0, 0
}

func (r *region) drop() {
	r.unmap.Stop()
	unreserve(r.b)
}
