package plugins

import (
	"fmt"
	"testing"
)

// BenchmarkScanUnchanged is what following a folder of 1,000 plugins costs while nothing happens.
func BenchmarkScanUnchanged(b *testing.B) {
	w := newWorld(b, "")
	wasm := good()
	for i := range 1000 {
		content(wasm)(w, w.path(fmt.Sprintf("plugins/job-%04d.wasm", i)))
	}
	s := w.open()
	if n := len(s.Snapshot().Jobs); n != 1000 {
		b.Fatalf("%d jobs", n)
	}
	for b.Loop() {
		s.step()
	}
}

// BenchmarkBuild is what one changed file costs beside 1,000 others: the set is made anew.
func BenchmarkBuild(b *testing.B) {
	w := newWorld(b, "")
	wasm := good()
	for i := range 1000 {
		content(wasm)(w, w.path(fmt.Sprintf("plugins/job-%04d.wasm", i)))
	}
	s := w.open()
	for b.Loop() {
		s.dirty = true
		s.step()
	}
}
