package sandbox

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// stdio says whether a descriptor is one of the streams, open.
func (x *execution) stdio(fd uint64) bool { return uint32(fd) < fdCount && !x.closed[uint32(fd)] }

// onFile calls f with a regular file. Streams have no place in them, and folders no bytes.
func (x *execution) onFile(fd uint64, f func(*file) uint64) uint64 {
	x.turn()
	file := x.file(fd)
	switch {
	case x.stdio(fd):
		return errnoSpipe
	case file == nil:
		return errnoBadf
	case file.f == nil:
		return errnoIsdir
	}
	return f(file)
}

// readFile reads into the guest's buffers, at a place or, with -1, at the file's own.
func (x *execution) readFile(f *file, mod api.Module, args []uint64, at int64) uint64 {
	if !f.read {
		return errnoBadf
	}
	var failed error
	done := int64(0)
	errno := x.vectors(mod, args, func(p []byte) (n int, more bool) {
		p = p[:min(len(p), chunk)]
		buf := f.buffer(len(p))
		err := x.apart(func() (err error) {
			if at < 0 {
				n, err = f.f.Read(buf)
			} else {
				n, err = f.f.ReadAt(buf, at+done)
			}
			return err
		})
		n = copy(p, buf[:n])
		if done += int64(n); err != nil && !errors.Is(err, io.EOF) {
			failed = err
		}
		return n, err == nil && n == len(p)
	})
	if errno == errnoSuccess && done == 0 {
		errno = errnoOf(failed)
	}
	return errno
}

// writeFile writes what is in the guest's buffers, within the quota.
func (x *execution) writeFile(f *file, mod api.Module, args []uint64, at int64) uint64 {
	if !f.write {
		return errnoBadf
	}
	if f.append && at >= 0 {
		return errnoNotsup
	}
	var failed error
	done := int64(0)
	errno := x.vectors(mod, args, func(p []byte) (moved int, more bool) {
		for moved < len(p) && failed == nil {
			step := f.buffer(min(len(p)-moved, chunk))
			copy(step, p[moved:])
			n := 0
			place := at
			if at >= 0 {
				place = at + done
			}
			failed = x.apart(func() (err error) {
				n, err = f.writeStep(step, place)
				return err
			})
			moved, done = moved+n, done+int64(n)
		}
		return moved, failed == nil
	})
	if errno == errnoSuccess && done == 0 {
		errno = errnoOf(failed)
	}
	return errno
}

// writeStep charges the quota with how much the file grows, and writes.
func (f *file) writeStep(p []byte, at int64) (int, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	from := at
	switch {
	case f.append:
		from = info.Size()
	case at < 0:
		if from, err = f.f.Seek(0, io.SeekCurrent); err != nil {
			return 0, err
		}
	}
	if from > math.MaxInt64-int64(len(p)) {
		return 0, errnoError(errnoFbig)
	}
	if err := f.mount.charge(from + int64(len(p)) - info.Size()); err != nil {
		return 0, err
	}
	if at >= 0 {
		return f.f.WriteAt(p, at)
	}
	return f.f.Write(p)
}

func (x *execution) fdPread(mod api.Module, args []uint64) uint64 {
	if x.stdio(args[0]) || int64(args[3]) < 0 {
		return errnoBadf
	}
	return x.onFile(args[0], func(f *file) uint64 {
		return x.readFile(f, mod, []uint64{args[0], args[1], args[2], args[4]}, int64(args[3]))
	})
}

func (x *execution) fdPwrite(mod api.Module, args []uint64) uint64 {
	if x.stdio(args[0]) || int64(args[3]) < 0 {
		return errnoBadf
	}
	return x.onFile(args[0], func(f *file) uint64 {
		return x.writeFile(f, mod, []uint64{args[0], args[1], args[2], args[4]}, int64(args[3]))
	})
}

func (x *execution) fdSeek(mod api.Module, args []uint64) uint64 {
	return x.onFile(args[0], func(f *file) uint64 {
		whence := uint32(args[2])
		if whence > io.SeekEnd {
			return errnoInval
		}
		var at int64
		if err := x.apart(func() (err error) {
			at, err = f.f.Seek(int64(args[1]), int(whence))
			return err
		}); err != nil {
			return errnoOf(err)
		}
		if !mod.Memory().WriteUint64Le(uint32(args[3]), uint64(at)) {
			return errnoFault
		}
		return errnoSuccess
	})
}

func (x *execution) fdTell(mod api.Module, args []uint64) uint64 {
	return x.fdSeek(mod, []uint64{args[0], 0, io.SeekCurrent, args[1]})
}

// resize makes a file longer or shorter, within the quota.
func (x *execution) resize(fd uint64, size func(now int64) int64) uint64 {
	return x.onFile(fd, func(f *file) uint64 {
		if !f.write {
			return errnoBadf
		}
		return errnoOf(x.apart(func() error {
			info, err := f.f.Stat()
			if err != nil {
				return err
			}
			to := size(info.Size())
			switch {
			case to < 0:
				return errnoError(errnoInval)
			case to == info.Size():
				return nil
			}
			if err := f.mount.charge(to - info.Size()); err != nil {
				return err
			}
			if err = f.f.Truncate(to); err == nil {
				f.mount.refund(info.Size() - min(to, info.Size()))
			}
			return err
		}))
	})
}

func (x *execution) fdFilestatSetSize(_ api.Module, args []uint64) uint64 {
	return x.resize(args[0], func(int64) int64 { return int64(args[1]) })
}

func (x *execution) fdAllocate(_ api.Module, args []uint64) uint64 {
	return x.resize(args[0], func(now int64) int64 {
		if at, n := int64(args[1]), int64(args[2]); at >= 0 && n > 0 && at <= math.MaxInt64-n {
			return max(now, at+n)
		}
		return -1
	})
}

func (x *execution) fdSync(_ api.Module, args []uint64) uint64 {
	f := x.file(args[0])
	switch {
	case x.stdio(args[0]), f != nil && f.f == nil:
		return errnoSuccess
	case f == nil:
		return errnoBadf
	}
	return errnoOf(x.apart(f.f.Sync))
}

func (x *execution) fdAdvise(_ api.Module, args []uint64) uint64 {
	const lastAdvice = 5
	switch {
	case !x.stdio(args[0]) && x.file(args[0]) == nil:
		return errnoBadf
	case uint32(args[3]) > lastAdvice:
		return errnoInval
	}
	return errnoSuccess
}

const fdstatSize = 24

func (x *execution) fdFdstatGet(mod api.Module, args []uint64) uint64 {
	out, ok := mod.Memory().Read(uint32(args[1]), fdstatSize)
	if !ok {
		return errnoFault
	}
	f := x.file(args[0])
	switch {
	case x.stdio(args[0]):
		fdstat(out, typeBlock, 0, fileRights, 0)
	case f == nil:
		return errnoBadf
	case f.root != nil:
		fdstat(out, typeDir, 0, dirRights, dirRights|fileRights)
	default:
		var flags uint16
		if f.append {
			flags = flagAppend
		}
		fdstat(out, typeRegular, flags, fileRights, 0)
	}
	return errnoSuccess
}

// fdFdstatSetFlags takes what changes nothing.
func (x *execution) fdFdstatSetFlags(_ api.Module, args []uint64) uint64 {
	flags := uint16(args[1])
	f := x.file(args[0])
	switch {
	case flags&^(flagAppend|flagNonblock) != 0:
		return errnoInval
	case x.stdio(args[0]):
		if flags&flagNonblock != 0 {
			return errnoNosys
		}
	case f == nil:
		return errnoBadf
	case f.f == nil:
		return errnoIsdir
	case flags&flagAppend != 0 != f.append:
		return errnoNotsup
	}
	return errnoSuccess
}

func (x *execution) fdFdstatSetRights(_ api.Module, args []uint64) uint64 {
	if !x.stdio(args[0]) && x.file(args[0]) == nil {
		return errnoBadf
	}
	return errnoSuccess
}

func (x *execution) fdFilestatGet(mod api.Module, args []uint64) uint64 {
	out, ok := mod.Memory().Read(uint32(args[1]), filestatSize)
	if !ok {
		return errnoFault
	}
	f := x.file(args[0])
	switch {
	case x.stdio(args[0]):
		clear(out)
		out[16], out[24] = typeBlock, 1
		return errnoSuccess
	case f == nil:
		return errnoBadf
	}
	var info fs.FileInfo
	err := x.apart(func() (err error) {
		if f.root != nil {
			info, err = f.root.Stat(".")
		} else {
			info, err = f.f.Stat()
		}
		return err
	})
	if err == nil {
		filestat(out, info)
	}
	return errnoOf(err)
}

func (x *execution) fdFilestatSetTimes(_ api.Module, args []uint64) uint64 {
	f := x.file(args[0])
	switch {
	case x.stdio(args[0]):
		return errnoInval
	case f == nil:
		return errnoBadf
	case !f.mount.Write:
		return errnoRofs
	}
	return x.setTimes(f.mount.root, f.path, true, args[1], args[2], args[3])
}

func (x *execution) fdPrestatGet(mod api.Module, args []uint64) uint64 {
	f := x.file(args[0])
	if f == nil || !f.preopen {
		return errnoBadf
	}
	if !mod.Memory().WriteUint64Le(uint32(args[1]), uint64(len(f.mount.Guest))<<32) {
		return errnoFault
	}
	return errnoSuccess
}

func (x *execution) fdPrestatDirName(mod api.Module, args []uint64) uint64 {
	f := x.file(args[0])
	if f == nil || !f.preopen {
		return errnoBadf
	}
	if uint64(len(f.mount.Guest)) < uint64(uint32(args[2])) {
		return errnoNametoolong
	}
	if !mod.Memory().Write(uint32(args[1]), []byte(f.mount.Guest[:uint32(args[2])])) {
		return errnoFault
	}
	return errnoSuccess
}

// fdRenumber moves a file to the descriptor of another one, which is closed.
func (x *execution) fdRenumber(_ api.Module, args []uint64) uint64 {
	from, to := x.file(args[0]), x.file(args[1])
	switch {
	case x.stdio(args[0]) && x.stdio(args[1]):
		return errnoNotsup
	case from == nil || to == nil:
		return errnoBadf
	case from.preopen || to.preopen:
		return errnoNotsup
	case from == to:
		return errnoSuccess
	}
	x.files[uint32(args[1])-fdCount], x.files[uint32(args[0])-fdCount] = from, nil
	x.shut(to)
	return errnoSuccess
}

const direntSize = 24

// fdReaddir tells the entries of a folder from a place on. A buffer that is full means that there may be more.
func (x *execution) fdReaddir(mod api.Module, args []uint64) uint64 {
	x.turn()
	f := x.file(args[0])
	switch {
	case f == nil:
		return errnoBadf
	case f.root == nil:
		return errnoNotdir
	}
	out, ok := mod.Memory().Read(uint32(args[1]), uint32(args[2]))
	if !ok || !mod.Memory().WriteUint32Le(uint32(args[4]), 0) {
		return errnoFault
	}
	if len(out) < direntSize {
		return errnoInval
	}
	x.spend(mod, pathFuel)
	if f.listing == nil {
		f.listing = &listing{}
	}
	used := 0
	for i := args[3]; used < len(out); i++ {
		x.turn()
		var e fs.DirEntry
		if err := x.apart(func() (err error) {
			e, err = f.listing.at(f.root, i, f.mount.isOver)
			return err
		}); err != nil {
			return errnoOf(err)
		}
		if e == nil {
			break
		}
		entry := make([]byte, direntSize, direntSize+len(e.Name()))
		binary.LittleEndian.PutUint64(entry, i+1)
		binary.LittleEndian.PutUint32(entry[16:], uint32(len(e.Name())))
		entry[20] = fileType(e.Type())
		used += copy(out[used:], append(entry, e.Name()...))
	}
	mod.Memory().WriteUint32Le(uint32(args[4]), uint32(used))
	return errnoSuccess
}
