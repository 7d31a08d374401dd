package meter

import "encoding/binary"

// code is a piece of a module being written: instructions, or whatever else its encoding is made of.
type code []byte

func (c *code) raw(b ...byte)        { *c = append(*c, b...) }
func (c *code) u32(v uint32)         { *c = binary.AppendUvarint(*c, uint64(v)) }
func (c *code) op(op byte, i uint32) { *c = binary.AppendUvarint(append(*c, op), uint64(i)) }

func (c *code) sleb(v int64) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			*c = append(*c, b)
			return
		}
		*c = append(*c, b|0x80)
	}
}

func (c *code) i32(v int32) { c.raw(opI32Const); c.sleb(int64(v)) }
func (c *code) i64(v int64) { c.raw(opI64Const); c.sleb(v) }

func (c *code) get(locals ...uint32) {
	for _, l := range locals {
		c.op(opLocalGet, l)
	}
}

func (c *code) set(local uint32) { c.op(opLocalSet, local) }

// sized appends a piece with its length in front.
func (c *code) sized(b []byte) {
	c.u32(uint32(len(b)))
	*c = append(*c, b...)
}

func (c *code) section(id byte, content []byte) {
	c.raw(id)
	c.sized(content)
}

// Instructions without an operand that metering writes.
const (
	opEmpty  = 0x40 // the type of a block without parameters and results
	opI32Ne  = 0x47
	opI32GtU = 0x4b
	opI32LeU = 0x4d
	opI64LtS = 0x53
	opI64GeS = 0x59
	opI64GtU = 0x56
	opI32Add = 0x6a
	opI32Sub = 0x6b
	opI32ShU = 0x76
	opI32Or  = 0x72
	opI64Add = 0x7c
	opI64Sub = 0x7d
	opI64Or  = 0x84
	opI64Shl = 0x86
	opI64ShU = 0x88
	opExtend = 0xad // i64.extend_i32_u
)
