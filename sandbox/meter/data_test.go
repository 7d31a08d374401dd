package meter_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

// memoryOf is the initial memory of a module with one page, from its data section, and the number of its segments.
func memoryOf(t *testing.T, wasm []byte) (memory []byte, segments int) {
	t.Helper()
	memory = make([]byte, meter.PageSize)
	for at := 8; at < len(wasm); {
		id := wasm[at]
		size, n := binary.Uvarint(wasm[at+1:])
		begin := at + 1 + n
		at = begin + int(size)
		if id != 11 {
			continue
		}
		r := bytes.NewReader(wasm[begin:at])
		count, _ := binary.ReadUvarint(r)
		for range count {
			if head := [2]byte{}; readAll(t, r, head[:]) != [2]byte{0, 0x41} {
				t.Fatalf("a segment begins with % x", head)
			}
			offset, shift := int64(0), 0
			for {
				b, _ := r.ReadByte()
				offset |= int64(b&0x7f) << shift
				if shift += 7; b < 0x80 {
					if b&0x40 != 0 {
						offset -= 1 << shift
					}
					break
				}
			}
			_, _ = r.ReadByte()
			length, _ := binary.ReadUvarint(r)
			_, _ = r.Read(memory[offset : offset+int64(length)])
		}
		segments = int(count)
	}
	return memory, segments
}

func readAll(t *testing.T, r *bytes.Reader, into []byte) [2]byte {
	t.Helper()
	if n, _ := r.Read(into); n != len(into) {
		t.Fatal("the section is cut off")
	}
	return [2]byte(into)
}

// Segments in any order, overlapping or not, leave the same memory when they are joined, and those of a linker that
// leaves out zeros become one.
func TestDataSegmentsAreJoined(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var m asm.Module
		m.Memory(1, 1)
		next := 0
		for range rnd.IntN(100) {
			switch rnd.IntN(10) {
			case 0: // somewhere
				next = rnd.IntN(meter.PageSize - 200)
			case 1: // into what is there
				next = max(next-rnd.IntN(60), 0)
			default:
				next = min(next+rnd.IntN(70), meter.PageSize-200)
			}
			content := make([]byte, rnd.IntN(100))
			for i := range content {
				content[i] = byte(1 + rnd.IntN(255))
			}
			m.Data(uint32(next), content)
			next += len(content)
		}
		wasm := m.Bytes()
		metered, _, err := meter.Meter(wasm, meter.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want, before := memoryOf(t, wasm)
		got, after := memoryOf(t, metered)
		if !bytes.Equal(got, want) || after > before {
			t.Errorf("seed %d: the memory differs; %d segments became %d", seed, before, after)
		}
	}
	var m asm.Module
	m.Memory(1, 1)
	for i := range uint32(1000) {
		m.Data(i*40, fmt.Append(nil, i))
	}
	metered, _, err := meter.Meter(m.Bytes(), meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, n := memoryOf(t, metered); n != 1 {
		t.Errorf("they became %d", n)
	}
}
