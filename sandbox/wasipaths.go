package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// lookup is a folder of the guest's and a path from there.
func (x *execution) lookup(mod api.Module, fd, at, n uint64) (dir *file, p string, errno uint64) {
	x.turn()
	if dir = x.file(fd); dir == nil {
		return nil, "", errnoBadf
	}
	if dir.root == nil {
		return nil, "", errnoNotdir
	}
	x.spend(mod, pathFuel)
	p, errno = guestPath(mod.Memory(), at, n)
	return dir, p, errno
}

// change is a lookup of something that is to be changed.
func (x *execution) change(mod api.Module, fd, at, n uint64) (dir *file, p string, errno uint64) {
	if dir, p, errno = x.lookup(mod, fd, at, n); errno == errnoSuccess && !dir.mount.Write {
		errno = errnoRofs
	}
	return dir, p, errno
}

const lookupFollow = 1

// Flags of path_open.
const (
	openCreate    = 1
	openDirectory = 2
	openExclusive = 4
	openTruncate  = 8
)

// opening is what a guest asks path_open for.
type opening struct {
	dir    *file
	path   string
	follow bool
	flags  uint64
	read   bool
	write  bool
	append bool
}

func (x *execution) pathOpen(mod api.Module, args []uint64) uint64 {
	dir, p, errno := x.lookup(mod, args[0], args[2], args[3])
	if errno != errnoSuccess {
		return errno
	}
	rights, fdflags, result := args[5], args[7], uint32(args[8])
	o := opening{
		dir: dir, path: p, follow: args[1]&lookupFollow != 0, flags: args[4],
		read: rights&rightRead != 0, write: rights&rightWrite != 0, append: fdflags&flagAppend != 0,
	}
	changes := o.flags&(openCreate|openTruncate) != 0 || o.write && o.flags&openDirectory == 0
	if changes && !dir.mount.Write {
		return errnoRofs
	}
	if !mod.Memory().WriteUint32Le(result, 0) {
		return errnoFault
	}
	var f *file
	if err := x.apart(func() (err error) {
		f, err = o.open()
		return err
	}); err != nil {
		return errnoOf(err)
	}
	fd, ok := x.add(f)
	if !ok {
		f.close()
		return errnoMfile
	}
	mod.Memory().WriteUint32Le(result, fd)
	return errnoSuccess
}

// open opens a folder or a regular file. What a name is, is asked before it is opened, since opening a device or a pipe does
// something to it, and again behind, since it may have changed.
func (o opening) open() (*file, error) {
	root := o.dir.root
	info, err := root.Lstat(o.path)
	if err == nil && info.Mode().Type() == fs.ModeSymlink {
		if !o.follow || o.flags&openExclusive != 0 {
			return nil, errnoError(errnoLoop)
		}
		info, err = root.Stat(o.path)
	}
	switch {
	case err == nil && o.flags&openCreate != 0 && o.flags&openExclusive != 0:
		return nil, errnoError(errnoExist)
	case err == nil && info.IsDir():
		return o.openDir()
	case err == nil && !info.Mode().IsRegular():
		return nil, errnoError(errnoAcces)
	case o.flags&openDirectory != 0 && err == nil:
		return nil, errnoError(errnoNotdir)
	case err != nil && o.flags&openCreate == 0:
		return nil, err
	case err != nil:
		if err := o.dir.mount.charge(entryCost); err != nil {
			return nil, err
		}
		f, err := o.openFile()
		if err != nil {
			o.dir.mount.refund(entryCost)
		}
		return f, err
	}
	return o.openFile()
}

func (o opening) openDir() (*file, error) {
	if o.write && o.flags&openDirectory == 0 || o.flags&openTruncate != 0 {
		return nil, errnoError(errnoIsdir)
	}
	root, err := o.dir.root.OpenRoot(o.path)
	if err != nil {
		return nil, err
	}
	return &file{mount: o.dir.mount, path: path.Join(o.dir.path, o.path), root: root}, nil
}

func (o opening) openFile() (*file, error) {
	flags := os.O_RDONLY
	switch {
	case o.write && o.read:
		flags = os.O_RDWR
	case o.write:
		flags = os.O_WRONLY
	}
	if o.flags&openCreate != 0 {
		flags |= os.O_CREATE
	}
	if o.flags&openExclusive != 0 {
		flags |= os.O_EXCL
	}
	if o.append {
		flags |= os.O_APPEND
	}
	f, err := o.dir.root.OpenFile(o.path, flags|nonblock, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errnoError(errnoAcces)
	case o.flags&openTruncate != 0 && !o.write:
		err = errnoError(errnoInval)
	case o.flags&openTruncate != 0:
		if err = f.Truncate(0); err == nil {
			o.dir.mount.refund(info.Size())
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &file{
		mount: o.dir.mount, path: path.Join(o.dir.path, o.path), f: f, read: o.read || !o.write, write: o.write, append: o.append,
	}, nil
}

func (x *execution) pathFilestatGet(mod api.Module, args []uint64) uint64 {
	dir, p, errno := x.lookup(mod, args[0], args[2], args[3])
	if errno != errnoSuccess {
		return errno
	}
	out, ok := mod.Memory().Read(uint32(args[4]), filestatSize)
	if !ok {
		return errnoFault
	}
	var info fs.FileInfo
	err := x.apart(func() (err error) {
		if args[1]&lookupFollow != 0 {
			info, err = dir.root.Stat(p)
		} else {
			info, err = dir.root.Lstat(p)
		}
		return err
	})
	if err == nil {
		filestat(out, info)
	}
	return errnoOf(err)
}

func (x *execution) pathFilestatSetTimes(mod api.Module, args []uint64) uint64 {
	dir, p, errno := x.change(mod, args[0], args[2], args[3])
	if errno != errnoSuccess {
		return errno
	}
	return x.setTimes(dir.root, p, args[1]&lookupFollow != 0, args[4], args[5], args[6])
}

// setTimes sets the times of a file that is not a link, or is followed.
func (x *execution) setTimes(root *os.Root, p string, follow bool, atime, mtime, flags uint64) uint64 {
	const setA, nowA, setM, nowM = 1, 2, 4, 8
	if flags&(setA|nowA) == setA|nowA || flags&(setM|nowM) == setM|nowM {
		return errnoInval
	}
	now := x.module.engine.cfg.Clock.Now()
	pick := func(set, current, ns uint64) (t time.Time) { // the zero time leaves it as it is
		switch {
		case flags&set != 0:
			t = time.Unix(0, int64(ns))
		case flags&current != 0:
			t = now
		}
		return t
	}
	return errnoOf(x.apart(func() error {
		if !follow {
			if info, err := root.Lstat(p); err == nil && info.Mode().Type() == fs.ModeSymlink {
				return errnoError(errnoNotsup)
			}
		}
		return root.Chtimes(p, pick(setA, nowA, atime), pick(setM, nowM, mtime))
	}))
}

func (x *execution) pathCreateDirectory(mod api.Module, args []uint64) uint64 {
	dir, p, errno := x.change(mod, args[0], args[1], args[2])
	if errno != errnoSuccess {
		return errno
	}
	return errnoOf(x.apart(func() error {
		err := dir.mount.charge(entryCost)
		if err == nil {
			if err = dir.root.Mkdir(p, 0o755); err != nil {
				dir.mount.refund(entryCost)
			}
		}
		return err
	}))
}

// remove removes a file, or an empty folder.
func (x *execution) remove(mod api.Module, args []uint64, folder bool) uint64 {
	dir, p, errno := x.change(mod, args[0], args[1], args[2])
	if errno != errnoSuccess {
		return errno
	}
	return errnoOf(x.apart(func() error {
		info, err := dir.root.Lstat(p)
		switch {
		case err != nil:
			return err
		case info.IsDir() && !folder:
			return errnoError(errnoIsdir)
		case !info.IsDir() && folder:
			return errnoError(errnoNotdir)
		}
		return x.drop(dir.mount, info, func() error { return dir.root.Remove(p) })
	}))
}

func (x *execution) pathRemoveDirectory(mod api.Module, args []uint64) uint64 {
	return x.remove(mod, args, true)
}

func (x *execution) pathUnlinkFile(mod api.Module, args []uint64) uint64 {
	return x.remove(mod, args, false)
}

func (x *execution) pathRename(mod api.Module, args []uint64) uint64 {
	from, p, errno := x.change(mod, args[0], args[1], args[2])
	if errno != errnoSuccess {
		return errno
	}
	to, q, errno := x.change(mod, args[3], args[4], args[5])
	if errno != errnoSuccess {
		return errno
	}
	if from.mount != to.mount {
		return errnoXdev
	}
	root := from.root
	if from != to { // both from where they meet; a path that leaves its own folder by its words is refused as ever
		if !fs.ValidPath(path.Clean(p)) || !fs.ValidPath(path.Clean(q)) {
			return errnoPerm
		}
		root, p, q = from.mount.root, path.Join(from.path, p), path.Join(to.path, q)
	}
	return errnoOf(x.apart(func() error {
		rename := func() error { return root.Rename(p, q) }
		replaced, none := root.Lstat(q)
		moved, _ := root.Lstat(p)
		if none != nil || os.SameFile(replaced, moved) {
			return rename()
		}
		return x.drop(from.mount, replaced, rename)
	}))
}

func (x *execution) pathReadlink(mod api.Module, args []uint64) uint64 {
	dir, p, errno := x.lookup(mod, args[0], args[1], args[2])
	if errno != errnoSuccess {
		return errno
	}
	out, ok := mod.Memory().Read(uint32(args[3]), uint32(args[4]))
	if !ok || !mod.Memory().WriteUint32Le(uint32(args[5]), 0) {
		return errnoFault
	}
	var target string
	err := x.apart(func() (err error) {
		target, err = dir.root.Readlink(p)
		return err
	})
	if err == nil {
		mod.Memory().WriteUint32Le(uint32(args[5]), uint32(copy(out, target)))
	}
	return errnoOf(err)
}

// pathLink and pathSymlink make no links: what reads the folder on the host's side could follow them out of it.
func (x *execution) pathLink(mod api.Module, args []uint64) uint64 {
	if _, _, errno := x.change(mod, args[0], args[2], args[3]); errno != errnoSuccess {
		return errno
	}
	return errnoPerm
}

func (x *execution) pathSymlink(mod api.Module, args []uint64) uint64 {
	if _, _, errno := x.change(mod, args[2], args[3], args[4]); errno != errnoSuccess {
		return errno
	}
	return errnoPerm
}

// listing is how far a guest has read a folder.
type listing struct {
	f      *os.File
	first  uint64 // the place of the first in the window
	window []fs.DirEntry
	ended  bool
}

const listedAtOnce = 128

// at is the entry at a place, or nil behind the last one.
func (l *listing) at(root *os.Root, i uint64, over func() bool) (fs.DirEntry, error) {
	if l.f == nil || i < l.first {
		f, err := root.Open(".")
		if err != nil {
			return nil, err
		}
		if l.f != nil {
			_ = l.f.Close()
		}
		*l = listing{f: f}
	}
	for i >= l.first+uint64(len(l.window)) {
		if l.ended || over() {
			return nil, nil
		}
		next, err := l.f.ReadDir(listedAtOnce)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		l.first += uint64(len(l.window))
		l.window, l.ended = next, len(next) == 0
	}
	return l.window[i-l.first], nil
}
