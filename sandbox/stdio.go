package sandbox

import (
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// The file descriptors of a guest's streams. Those of its folders, and of what it opens there, come behind.
const (
	fdStdin = iota
	fdStdout
	fdStderr
	fdCount
)

const vectorSize = 8 // an address and a length

// streams are what stands behind them.
type streams struct {
	in       *guestInput
	out, err *guestOutput
	closed   [fdCount]bool
	files    []*file // by descriptor, behind the streams; nil where it is closed
	mounts   []*mount
	apartNow bool // a call on one of them is under way, or was left behind
}

func (x *execution) fdClose(_ api.Module, args []uint64) uint64 {
	fd := uint32(args[0])
	if f := x.file(args[0]); f != nil {
		x.files[fd-fdCount] = nil
		x.shut(f)
		return errnoSuccess
	}
	if fd >= fdCount || x.closed[fd] {
		return errnoBadf
	}
	x.closed[fd] = true
	return errnoSuccess
}

func (x *execution) fdRead(mod api.Module, args []uint64) uint64 {
	if x.file(args[0]) != nil {
		return x.onFile(args[0], func(f *file) uint64 { return x.readFile(f, mod, args, -1) })
	}
	if uint32(args[0]) != fdStdin || x.closed[fdStdin] {
		return errnoBadf
	}
	return x.vectors(mod, args, func(p []byte) (n int, more bool) {
		n, err := x.in.Read(p)
		return n, err == nil && n == len(p)
	})
}

func (x *execution) fdWrite(mod api.Module, args []uint64) uint64 {
	if x.file(args[0]) != nil {
		return x.onFile(args[0], func(f *file) uint64 { return x.writeFile(f, mod, args, -1) })
	}
	out, fd := x.out, uint32(args[0])
	if fd == fdStderr {
		out = x.err
	}
	if fd != fdStdout && fd != fdStderr || x.closed[fd] {
		return errnoBadf
	}
	return x.vectors(mod, args, func(p []byte) (int, bool) {
		n, _ := out.Write(p)
		return n, true
	})
}

// vectors moves the bytes of a list of buffers, which the arguments name after the file descriptor, until there is no
// more, and tells how many they were. A list can be long and its buffers empty.
func (x *execution) vectors(mod api.Module, args []uint64, move func([]byte) (n int, more bool)) uint64 {
	at, count, result := uint32(args[1]), uint32(args[2]), uint32(args[3])
	mem := mod.Memory()
	if count > math.MaxUint32/vectorSize {
		return errnoFault
	}
	list, ok := mem.Read(at, count*vectorSize)
	if !ok || !mem.WriteUint32Le(result, 0) {
		return errnoFault
	}
	moved := uint32(0)
	for i := 0; len(list) > 0; i++ {
		if i%paceEvery == paceEvery-1 {
			x.turn()
		}
		p, ok := mem.Read(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:]))
		if !ok {
			return errnoFault
		}
		list = list[vectorSize:]
		if len(p) == 0 {
			continue
		}
		n, more := move(p)
		if moved += uint32(n); !more {
			break
		}
	}
	mem.WriteUint32Le(result, moved)
	return errnoSuccess
}
