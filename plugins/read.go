package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxManifest bounds a sidecar and the manifest in a module, in bytes.
const maxManifest = 64 << 10

// fault is why a file is not taken, and what a person can do about it.
type fault struct {
	what, remedy string
	retry        bool // it can pass without the file changing
}

func faultf(remedy, format string, args ...any) *fault {
	return &fault{what: fmt.Sprintf(format, args...), remedy: remedy}
}

// stamp is what tells without reading that a file is not the one that was read. Two equal stamps are taken for equal content.
type stamp struct {
	size     int64
	mod      time.Time
	changed  time.Time
	mode     fs.FileMode
	dev, ino uint64
}

func stampOf(info fs.FileInfo) stamp {
	dev, ino := identity(info)
	return stamp{size: info.Size(), mod: info.ModTime(), changed: changed(info), mode: info.Mode(), dev: dev, ino: ino}
}

// look describes the file behind a path, following links. A file that is not there at all is fs.ErrNotExist; a fault says why a
// file that is there cannot be a plugin or a sidecar. It opens nothing: opening a device or a FIFO can have effects or wait.
func look(path string) (stamp, *fault, error) {
	info, err := os.Stat(path)
	if err == nil {
		return stampOf(info), notRegular(info.Mode()), nil
	}
	link, lerr := os.Lstat(path)
	if lerr != nil {
		if errors.Is(lerr, fs.ErrNotExist) {
			return stamp{}, nil, fs.ErrNotExist
		}
		return stamp{}, readFault(lerr), nil
	}
	st := stampOf(link)
	if link.Mode()&fs.ModeSymlink == 0 {
		return st, readFault(err), nil
	}
	target, _ := os.Readlink(path)
	switch {
	case isLinkLoop(err):
		return st, faultf("remove the link, or point it at a file", "it is a symbolic link to %q that leads back to itself", target), nil
	case errors.Is(err, fs.ErrNotExist):
		return st, faultf("remove the link, or bring back the file", "it is a symbolic link to %q, which does not exist", target), nil
	}
	return st, readFault(err), nil
}

// notRegular names what is not a plain file.
func notRegular(mode fs.FileMode) *fault {
	const remedy = "put a plain file there, or take it away"
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return faultf("move the files that are in it up, or rename the folder", "it is a folder, not a file")
	case mode&fs.ModeNamedPipe != 0:
		return faultf(remedy, "it is a named pipe (FIFO), not a file")
	case mode&fs.ModeSocket != 0:
		return faultf(remedy, "it is a socket, not a file")
	case mode&fs.ModeDevice != 0:
		return faultf(remedy, "it is a device, not a file")
	}
	return faultf(remedy, "it is not a plain file (%s)", mode.Type())
}

func readFault(err error) *fault {
	var pe *fs.PathError
	reason := err
	if errors.As(err, &pe) {
		reason = pe.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return &fault{fmt.Sprintf("it may not be read: %v", reason),
			"let the user that wcron runs as read it (chmod a+r, and a+x for its folders)", true}
	}
	return &fault{fmt.Sprintf("it cannot be read: %v", reason), "see whether the disk and the file are in order", true}
}

// errMoved says that a file was changed while it was read; another look will tell more.
var errMoved = errors.New("the file was changed while it was read")

// read returns the bytes of a plain file of at most limit bytes that still carries the stamp, before and after.
// errMoved means that it does not, and that it should be looked at again.
func read(path string, want stamp, limit int64) ([]byte, *fault, error) {
	if want.size > limit {
		return nil, tooLarge(want.size, limit), nil
	}
	f, err := os.OpenFile(path, openFlags, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, errMoved
		}
		return nil, readFault(err), nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, readFault(err), nil
	}
	if stampOf(info) != want {
		return nil, nil, errMoved
	}
	b := make([]byte, 0, want.size+1) // one more byte, so that the end is seen without growing
	for {
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readFault(err), nil
		}
		if int64(len(b)) > want.size {
			return nil, nil, errMoved
		}
	}
	if info, err = f.Stat(); err != nil || stampOf(info) != want || int64(len(b)) != want.size {
		return nil, nil, errMoved
	}
	return b, nil, nil
}

func tooLarge(size, limit int64) *fault {
	remedy := "make it smaller"
	if limit != maxManifest {
		remedy += ": strip its debug information, or use wasm-opt -Oz; or raise limits.module_size in the host file"
	}
	return faultf(remedy, "it has %s, and at most %s are read", bytesText(size), bytesText(limit))
}

// bytesText is a size for people: exact below 1 KiB, else with one digit behind the point.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, i := float64(n)/(1<<10), 0
	for v >= 1<<10 && i < len(units)-1 {
		v, i = v/(1<<10), i+1
	}
	return fmt.Sprintf("%.4g %ciB", v, units[i])
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
