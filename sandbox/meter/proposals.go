package meter

import "fmt"

// What belongs to WebAssembly proposals that are not run, and what to do about it.
const (
	tailCalls  = "the tail call feature is not run; build without it (clang: -mno-tail-call)"
	exceptions = "the exception handling feature is not run; build without it (clang: no -fwasm-exceptions, " +
		"Rust: panic=abort)"
	threads       = "the threads feature is not run; build without threads and atomics (clang: -mno-atomics, no -pthread)"
	typedRefs     = "the typed function references feature is not run; build without it"
	gcObjects     = "the garbage collection feature is not run; build for wasm without GC"
	multiMemory   = "the multi-memory feature is not run; build without it"
	relaxedSIMD   = "the relaxed SIMD feature is not run; build without it (clang: -mno-relaxed-simd)"
	extendedConst = "the extended constant expressions feature is not run; build without it " +
		"(clang: -mno-extended-const)"
	wideMath = "the wide arithmetic feature is not run; build without it (clang: -mno-wide-arithmetic)"
)

// proposalOf names the proposal that an opcode of one byte belongs to; empty if it is not known either.
func proposalOf(op byte) string {
	switch {
	case op >= 0x06 && op <= 0x0a, op == 0x18, op == 0x19, op == 0x1f:
		return exceptions
	case op == 0x12, op == 0x13:
		return tailCalls
	case op == 0x14, op == 0x15, op >= 0xd4 && op <= 0xd6:
		return typedRefs
	case op == 0xd3, op == 0xfb:
		return gcObjects
	case op == 0xfe:
		return threads
	}
	return ""
}

func refuseOpcode(r *reader, at int, prefix byte, op uint32) {
	proposal := ""
	switch {
	case prefix == 0:
		proposal = proposalOf(byte(op))
	case prefix == opVector && op > 0xff:
		proposal = relaxedSIMD
	case prefix == opMisc && op == 0x12:
		proposal = "the memory control feature is not run; build without it"
	case prefix == opMisc && op >= 0x13 && op <= 0x16:
		proposal = wideMath
	}
	name := fmt.Sprintf("instruction %#02x", op)
	if prefix != 0 {
		name = fmt.Sprintf("instruction %#02x %#02x", prefix, op)
	}
	if proposal == "" {
		r.fail(at, "%s is unknown; the file is damaged, or needs a WebAssembly feature that wcron does not run", name)
		return
	}
	r.fail(at, "%s: %s", name, proposal)
}

// checkType refuses value types that are not of WebAssembly 2.0.
func checkType(r *reader, at int, t byte) {
	switch {
	case t >= typeV128 && t <= typeI32, t == typeFuncref, t == typeExternref:
	case t == typeExnref, t == 0x68, t == 0x74, t == 0x75:
		r.fail(at, "value type %#x: %s", t, exceptions)
	case t == refNullable, t == refNonNullable:
		r.fail(at, "value type %#x: %s", t, typedRefs)
	case t >= 0x6a && t <= 0x73:
		r.fail(at, "value type %#x: %s", t, gcObjects)
	default:
		r.fail(at, "value type %#x is unknown", t)
	}
}

// checkForm refuses types other than those of functions.
func checkForm(r *reader, at int, form byte) {
	switch form {
	case typeFunc:
	case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
		r.fail(at, "type form %#x: %s", form, gcObjects)
	default:
		r.fail(at, "type form %#x is unknown", form)
	}
}

// refuseConstant says why an instruction cannot stand in an initial value.
func refuseConstant(r *reader, at int, op byte) {
	switch op {
	case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e:
		r.fail(at, "instruction %#x in a constant expression: %s", op, extendedConst)
	case 0xfb:
		r.fail(at, "instruction %#x in a constant expression: %s", op, gcObjects)
	default:
		r.fail(at, "instruction %#x cannot stand in a constant expression", op)
	}
}
