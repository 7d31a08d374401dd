package hostile

import (
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
)

// growth takes memory and stack until there is no more.
func growth() []Shape {
	return []Shape{
		trapped("recursion", "endless recursion", "trap", guest.Recurse),
		trapped("recursion-wide", "endless recursion in frames of 1,000 locals", "trap", func() []byte { return recursion(1000) }),
		trapped("recursion-operands", "endless recursion over 1,000 operands", "trap", recursionOverOperands),
		trapped("recursion-indirect", "endless recursion through call_indirect", "trap", recursionIndirect),
		trapped("recursion-pair", "endless recursion of two functions", "trap", recursionPair),
		trapped("recursion-in-start", "endless recursion in the start section", "trap", recursionInStart),
		trapped("grow-and-touch", "memory page by page, each touched, and a trap when there is no more", "out_of_memory", guest.GrowForever),
		trapped("begin-with-4-gib", "a module that begins with 65,535 pages", "out_of_memory", func() []byte { return guest.MemoryMin(65535) }),
		trapped("segment-out-of-bounds", "a data segment behind the end of the memory", "trap", segmentOutOfBounds),
		trapped("trap-in-start", "a trap in the start section", "trap", trapInStart),
	}
}

// recursion calls itself in a frame with that many locals, all of them used behind the call.
func recursion(locals int) []byte {
	var m asm.Module
	f := m.Next()
	types := make([]asm.Type, locals)
	code := asm.Code{}
	for i := range types {
		types[i] = i64
		code = append(code, asm.Cat(asm.Get(0), asm.Code{0xac}, asm.I64(int64(i)), asm.Code{0x7c}, asm.Set(uint32(i+1)))...)
	}
	code = append(code, asm.Cat(asm.Get(0), asm.I32(1), asm.Add, asm.Call(f))...)
	for i := range types {
		code = append(code, asm.Cat(asm.Get(uint32(i+1)), asm.Code{0xa7}, asm.Add)...)
	}
	m.Func(words(1), words(1), types, code)
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.Call(f), asm.Drop))
	return m.Bytes()
}

func recursionOverOperands() []byte {
	var m asm.Module
	f := m.Next()
	m.Func(words(1), words(1), nil,
		asm.Repeat(1000, asm.Cat(asm.Get(0), asm.I32(3), asm.Mul)), asm.Get(0), asm.Call(f), asm.Repeat(1000, asm.Add))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, asm.I32(1), asm.Call(f), asm.Drop))
	return m.Bytes()
}

func recursionIndirect() []byte {
	var m asm.Module
	f := m.Func(nil, nil, nil, asm.I32(0), asm.CallIndirect(0))
	m.Export("_start", asm.KindFunc, f)
	return asm.WithTable(m.Bytes(), 1, f)
}

func recursionPair() []byte {
	var m asm.Module
	one := m.Func(nil, nil, nil, asm.Call(m.Next()+1))
	m.Func(nil, nil, nil, asm.Call(one))
	m.Export("_start", asm.KindFunc, one)
	return m.Bytes()
}

func recursionInStart() []byte {
	var m asm.Module
	m.Start(m.Func(nil, nil, nil, asm.Call(m.Next())))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

func segmentOutOfBounds() []byte {
	var m asm.Module
	m.Memory(4, asm.NoMax)
	m.Data(4*65536-1, []byte("xx"))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}

func trapInStart() []byte {
	var m asm.Module
	m.Memory(4, asm.NoMax)
	m.Start(m.Func(nil, nil, nil, asm.Unreachable))
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil))
	return m.Bytes()
}
