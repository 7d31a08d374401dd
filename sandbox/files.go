package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/tetratelabs/wazero/api"
)

// Dir is a folder of the host's that a guest sees. What lies outside of it cannot be reached, by whatever path and whatever is
// changed meanwhile; links within are followed as far as they stay within. Only folders and regular files can be opened, and a
// guest makes no links.
type Dir struct {
	Guest string // where the guest sees it: an absolute path
	Host  string
	Write bool  // the guest may change it
	Quota int64 // most bytes that it may hold when the run writes to it, each file and folder counting 4 KiB; 0: without a limit
}

// Bounds on what a guest does with folders.
const (
	maxFiles  = 64   // that are open at a time
	maxPath   = 4096 // bytes of a path
	entryCost = 4096 // bytes that a new file or folder counts
	pathFuel  = 1000 // of a call that looks a path up, beside the crossing to the host
)

// file is what stands behind a descriptor of the guest's: a folder, which has a root, or a regular file.
type file struct {
	mount   *mount
	path    string   // within the mount, when it was opened
	root    *os.Root // of a folder
	f       *os.File // of a regular file
	preopen bool
	read    bool
	write   bool
	append  bool
	gone    bool // it was removed or replaced, and counts until it is closed
	listing *listing
	buf     []byte // what a call works on, since one that is left behind outlives the guest's memory
}

func (f *file) buffer(n int) []byte {
	if cap(f.buf) < n {
		f.buf = make([]byte, max(n, 512))
	}
	return f.buf[:n]
}

func (f *file) close() {
	if f.listing != nil && f.listing.f != nil {
		_ = f.listing.f.Close()
	}
	if f.f != nil {
		_ = f.f.Close()
	} else {
		_ = f.root.Close()
	}
}

// check refuses folders that cannot be given to a guest.
func (d Dir) check() error {
	switch {
	case !path.IsAbs(d.Guest) || strings.Contains(d.Guest, "\x00"):
		return fmt.Errorf("folder %q: the path in the guest must be absolute", d.Guest)
	case d.Host == "":
		return fmt.Errorf("folder %s: the host's path is missing", d.Guest)
	case d.Quota < 0:
		return fmt.Errorf("folder %s: the quota must not be negative", d.Guest)
	}
	return nil
}

// mountAll opens the folders of a run.
func (x *execution) mountAll(dirs []Dir) {
	for _, d := range dirs {
		m := &mount{Dir: d, over: x.ctx.Done()}
		if err := x.apart(func() (err error) {
			m.root, err = os.OpenRoot(d.Host)
			return err
		}); err != nil {
			x.halt(hostFault("folder %s: it cannot be opened: %v", d.Guest, err))
		}
		root, err := m.root.OpenRoot(".") // the guest can close its own
		if err != nil {
			_ = m.root.Close()
			x.halt(hostFault("folder %s: it cannot be opened: %v", d.Guest, err))
		}
		x.mounts = append(x.mounts, m)
		x.files = append(x.files, &file{mount: m, path: ".", root: root, preopen: true})
	}
}

// closeAll closes what is still open. If a call was left behind, it may use any of it; then the collector closes it.
func (x *execution) closeAll() {
	if x.apartNow {
		return
	}
	for _, f := range x.files {
		if f != nil {
			f.close()
		}
	}
	for _, m := range x.mounts {
		_ = m.root.Close()
	}
	x.files, x.mounts = nil, nil
}

// apart does something that may block. If the run ends first, it is left behind.
func (x *execution) apart(f func() error) (err error) {
	x.apartNow = true
	if _, fault := x.outside(false, func() (int, error) {
		err = f()
		return 0, nil
	}); fault != nil {
		x.halt(hostFault("a folder: %v", fault))
	}
	x.apartNow = false
	x.checkContext()
	return err
}

// file is what stands behind a descriptor, or nil.
func (x *execution) file(fd uint64) *file {
	if i := int64(uint32(fd)) - fdCount; i >= 0 && i < int64(len(x.files)) {
		return x.files[i]
	}
	return nil
}

// add gives a file a descriptor, the lowest that is free.
func (x *execution) add(f *file) (fd uint32, ok bool) {
	if i := slices.Index(x.files, nil); i >= 0 {
		x.files[i] = f
		return uint32(i + fdCount), true
	}
	if len(x.files) >= maxFiles {
		return 0, false
	}
	x.files = append(x.files, f)
	return uint32(len(x.files) - 1 + fdCount), true
}

// guestPath reads a path of the guest's. It must lead somewhere below the folder that it is given with, by its own words.
func guestPath(mem api.Memory, at, n uint64) (string, uint64) {
	if uint32(n) > maxPath {
		return "", errnoNametoolong
	}
	b, ok := mem.Read(uint32(at), uint32(n))
	if !ok {
		return "", errnoFault
	}
	p := string(b)
	switch {
	case p == "":
		return "", errnoNoent
	case strings.Contains(p, "\x00"):
		return "", errnoInval
	case strings.HasPrefix(p, "/"):
		return "", errnoPerm
	}
	return p, errnoSuccess
}

// errnos are what the system says, in WASI's numbers.
var errnos = []struct {
	err   error
	errno uint64
}{
	{syscall.ENOTDIR, errnoNotdir}, {syscall.EISDIR, errnoIsdir}, {syscall.ENOTEMPTY, errnoNotempty}, {syscall.ELOOP, errnoLoop},
	{syscall.ENAMETOOLONG, errnoNametoolong}, {syscall.EXDEV, errnoXdev}, {syscall.ENOSPC, errnoNospc}, {syscall.EMFILE, errnoMfile},
	{syscall.EROFS, errnoRofs}, {syscall.EBUSY, errnoBusy}, {syscall.EINVAL, errnoInval}, {syscall.EFBIG, errnoFbig}, {syscall.ENXIO, errnoAcces},
	{fs.ErrNotExist, errnoNoent}, {fs.ErrExist, errnoExist}, {fs.ErrPermission, errnoAcces}, {fs.ErrClosed, errnoBadf},
}

// errnoError is an error of this package's own.
type errnoError uint64

func (e errnoError) Error() string { return fmt.Sprintf("errno %d", uint64(e)) }

func errnoOf(err error) uint64 {
	if err == nil {
		return errnoSuccess
	}
	var own errnoError
	if errors.As(err, &own) {
		return uint64(own)
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	var system syscall.Errno
	if errors.As(err, &system) {
		return errnoIo
	}
	return errnoPerm // the root says that the path leads out of it
}
