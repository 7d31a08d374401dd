package sandbox

import (
	"encoding/binary"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/wcron/wcron/sandbox/meter"
)

// blocks is the memory that the host owns and a guest reaches by calls: blocks of bytes by their offsets. A block's
// number is in the upper bits of its offset, so an offset that points nowhere is always told from one that does, and no
// access crosses from one block into another. Only the goroutine of the run uses it. The zero value is empty.
type blocks struct {
	list  [][]byte // nil where it is free
	spare []int    // numbers that are free
	told  bool     // that one was too large
}

const (
	blockShift   = 32 // an offset is the block's number, from 1, and the place in it
	maxBlocks    = 1 << 20
	blockCost    = 64 // bytes that a block is charged for beside its content
	bytesPerFuel = 8  // of clearing a new block
)

// alloc makes a block of n bytes, all zero. The offset is 0 if there is no room within the run's memory limit.
func (b *blocks) alloc(m *memory, n int64) (offset uint64, block []byte) {
	if n <= 0 || n >= 1<<blockShift || len(b.list)-len(b.spare) >= maxBlocks || !m.take(n+blockCost) {
		return 0, nil
	}
	block = make([]byte, n)
	if last := len(b.spare) - 1; last >= 0 {
		i := b.spare[last]
		b.spare = b.spare[:last]
		b.list[i] = block
		return uint64(i+1) << blockShift, block
	}
	b.list = append(b.list, block)
	return uint64(len(b.list)) << blockShift, block
}

// free gives a block back; an offset that is not the begin of one is passed over.
func (b *blocks) free(m *memory, offset uint64) {
	block, ok := b.find(offset)
	if !ok {
		return
	}
	i := int(offset>>blockShift) - 1
	b.list[i] = nil
	b.spare = append(b.spare, i)
	m.giveBack(int64(len(block)) + blockCost)
}

// find is the block that begins at an offset.
func (b *blocks) find(offset uint64) ([]byte, bool) {
	if offset&(1<<blockShift-1) != 0 {
		return nil, false
	}
	part, ok := b.at(offset, 1)
	return part, ok
}

// at is what lies at an offset, if it has n bytes at least.
func (b *blocks) at(offset uint64, n int) ([]byte, bool) {
	i, at := offset>>blockShift, offset&(1<<blockShift-1)
	if i == 0 || i > uint64(len(b.list)) {
		return nil, false
	}
	block := b.list[i-1]
	if at+uint64(n) > uint64(len(block)) {
		return nil, false
	}
	return block[at:], true
}

// refuseBlock tells people, once, of a block that is larger than any may be.
func (x *execution) refuseBlock(n int64) {
	if !x.blocks.told {
		x.blocks.told = true
		x.note(fmt.Sprintf("alloc: %s were asked for, and a block has %s at most", meter.FormatBytes(n), meter.FormatBytes(maxRequest)))
	}
}

// memoryFunctions are those of extism:host/env with which a guest makes, reads and writes blocks.
func memoryFunctions() []hostFunction {
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	one := []api.ValueType{i64}
	length := func(x *execution, _ api.Module, stack []uint64) {
		block, _ := x.blocks.find(stack[0])
		stack[0] = uint64(len(block))
	}
	access := func(name string, n int, do func(at []byte, stack []uint64)) func(*execution, api.Module, []uint64) {
		return func(x *execution, _ api.Module, stack []uint64) {
			at, ok := x.blocks.at(stack[0], n)
			if !ok {
				x.trapIn(name, "there is no block with %d bytes at offset %#x", n, stack[0])
			}
			do(at, stack)
		}
	}
	return []hostFunction{
		{"alloc", one, one, func(x *execution, mod api.Module, stack []uint64) {
			n := int64(stack[0])
			if n > maxRequest { // no call takes it, and to make it cannot be interrupted
				stack[0] = 0
				x.refuseBlock(n)
			} else if stack[0], _ = x.blocks.alloc(&x.memory, n); stack[0] != 0 {
				x.spend(mod, n/bytesPerFuel)
			}
		}},
		{"free", one, nil, func(x *execution, _ api.Module, stack []uint64) { x.blocks.free(&x.memory, stack[0]) }},
		{"length", one, one, length},
		{"length_unsafe", one, one, length},
		{"load_u8", one, []api.ValueType{i32}, access("load_u8", 1, func(at []byte, stack []uint64) { stack[0] = uint64(at[0]) })},
		{"load_u64", one, one, access("load_u64", 8, func(at []byte, stack []uint64) { stack[0] = binary.LittleEndian.Uint64(at) })},
		{"store_u8", []api.ValueType{i64, i32}, nil, access("store_u8", 1, func(at []byte, stack []uint64) { at[0] = byte(stack[1]) })},
		{"store_u64", []api.ValueType{i64, i64}, nil, access("store_u64", 8, func(at []byte, stack []uint64) {
			binary.LittleEndian.PutUint64(at, stack[1])
		})},
	}
}
