package sandbox

import (
	"encoding/binary"
	"io/fs"
	"time"
)

// The types of files, as WASI counts them.
const (
	typeUnknown = 0
	typeBlock   = 1
	typeChar    = 2
	typeDir     = 3
	typeRegular = 4
	typeSocket  = 6
	typeLink    = 7
)

func fileType(m fs.FileMode) byte {
	switch m.Type() {
	case 0:
		return typeRegular
	case fs.ModeDir:
		return typeDir
	case fs.ModeSymlink:
		return typeLink
	case fs.ModeSocket:
		return typeSocket
	case fs.ModeDevice | fs.ModeCharDevice:
		return typeChar
	case fs.ModeDevice:
		return typeBlock
	}
	return typeUnknown
}

const filestatSize = 64

// filestat writes what a guest gets to know of a file.
func filestat(out []byte, info fs.FileInfo) {
	le := binary.LittleEndian
	clear(out)
	inode, links := identity(info)
	le.PutUint64(out[8:], inode)
	out[16] = fileType(info.Mode())
	le.PutUint64(out[24:], links)
	le.PutUint64(out[32:], uint64(max(info.Size(), 0)))
	t := nanoseconds(info.ModTime())
	for at := 40; at < filestatSize; at += 8 {
		le.PutUint64(out[at:], t)
	}
}

func nanoseconds(t time.Time) uint64 {
	if t.Unix() < 0 || t.Year() > 2200 {
		return 0
	}
	return uint64(t.UnixNano())
}

// The rights that are told; nothing depends on them but what guests make of them.
const (
	rightRead  = 1 << 1
	rightWrite = 1 << 6

	fileRights = 1<<0 | rightRead | 1<<2 | 1<<3 | 1<<4 | 1<<5 | rightWrite | 1<<7 | 1<<8 | 1<<21 | 1<<22 | 1<<23 | 1<<27
	dirRights  = 1<<0 | 1<<3 | 1<<4 | 1<<9 | 1<<10 | 1<<13 | 1<<14 | 1<<15 | 1<<16 | 1<<17 | 1<<18 | 1<<19 | 1<<20 | 1<<21 | 1<<25 | 1<<26
)

// Flags of a descriptor.
const (
	flagAppend   = 1
	flagNonblock = 4
)

func fdstat(out []byte, typ byte, flags uint16, base, inheriting uint64) {
	clear(out)
	out[0] = typ
	binary.LittleEndian.PutUint16(out[2:], flags)
	binary.LittleEndian.PutUint64(out[8:], base)
	binary.LittleEndian.PutUint64(out[16:], inheriting)
}
