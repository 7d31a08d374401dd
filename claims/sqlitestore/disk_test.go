package sqlitestore

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// The files whose content has to survive. The log's index is rebuilt from the log.
const (
	dbFile  = "ledger.db"
	walFile = "ledger.db-wal"
)

// operation is one thing that was done to a file, or (file empty) the acknowledgement of a commit to its caller.
type operation struct {
	file string
	kind byte // 'w'rite, 't'runcate, 's'ync, 'a'cknowledged
	off  int64
	data []byte
	ack  fact
}

// disk is a VFS that passes everything on to the operating system and keeps a record of it.
type disk struct {
	vfs.VFSFilename
	mu  sync.Mutex // guards ops
	ops []operation
}

func newDisk() *disk { return &disk{VFSFilename: vfs.Find("os").(vfs.VFSFilename)} }

func (d *disk) record(op operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op)
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil || name == nil {
		return f, flags, err
	}
	return &diskFile{File: f, disk: d, name: filepath.Base(name.String())}, flags, nil
}

func (d *disk) Delete(name string, syncDir bool) error {
	err := d.VFSFilename.Delete(name, syncDir)
	if err == nil {
		d.record(operation{file: filepath.Base(name), kind: 't'})
	}
	return err
}

// diskFile passes on what the store and write-ahead logging need of a file.
type diskFile struct {
	vfs.File
	disk *disk
	name string
}

var (
	_ vfs.FileSharedMemory       = (*diskFile)(nil)
	_ vfs.FilePersistWAL         = (*diskFile)(nil)
	_ vfs.FilePowersafeOverwrite = (*diskFile)(nil)
	_ vfs.FileLockState          = (*diskFile)(nil)
)

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	if inner, ok := f.File.(vfs.FileSharedMemory); ok {
		return inner.SharedMemory()
	}
	return nil
}
func (f *diskFile) LockState() vfs.LockLevel     { return vfsutil.WrapLockState(f.File) }
func (f *diskFile) PersistWAL() bool             { return vfsutil.WrapPersistWAL(f.File) }
func (f *diskFile) SetPersistWAL(keep bool)      { vfsutil.WrapSetPersistWAL(f.File, keep) }
func (f *diskFile) PowersafeOverwrite() bool     { return vfsutil.WrapPowersafeOverwrite(f.File) }
func (f *diskFile) SetPowersafeOverwrite(b bool) { vfsutil.WrapSetPowersafeOverwrite(f.File, b) }

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if n > 0 {
		f.disk.record(operation{file: f.name, kind: 'w', off: off, data: slices.Clone(p[:n])})
	}
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	err := f.File.Truncate(size)
	if err == nil {
		f.disk.record(operation{file: f.name, kind: 't', off: size})
	}
	return err
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	err := f.File.Sync(flags)
	if err == nil {
		f.disk.record(operation{file: f.name, kind: 's'})
	}
	return err
}

// platter is what a power cut leaves of the files: all that was synced, and of the rest anything.
type platter struct {
	synced map[string][]byte
	since  map[string][]operation // not synced yet
}

func (p *platter) do(op operation) {
	switch op.kind {
	case 'w', 't':
		p.since[op.file] = append(p.since[op.file], op)
	case 's':
		for _, o := range p.since[op.file] {
			p.synced[op.file] = o.onto(p.synced[op.file])
		}
		p.since[op.file] = nil
	}
}

// onto does a write or a truncate to a content.
func (op operation) onto(b []byte) []byte {
	if op.kind == 't' {
		return b[:min(op.off, int64(len(b)))]
	}
	if need := op.off + int64(len(op.data)); need > int64(len(b)) {
		b = append(b, make([]byte, need-int64(len(b)))...)
	}
	copy(b[op.off:], op.data)
	return b
}

// fate says what becomes of writes that were not synced.
type fate func(rng *rand.Rand, ops []operation) []operation

func dropped(*rand.Rand, []operation) []operation      { return nil }
func kept0(_ *rand.Rand, ops []operation) []operation  { return ops }
func shuffled(r *rand.Rand, o []operation) []operation { return some(r, o, false) }
func torn(r *rand.Rand, o []operation) []operation     { return some(r, o, true) }

// some picks operations, in any order. Torn ones have some of their sectors only, and the last of these in part.
func some(rng *rand.Rand, ops []operation, tear bool) []operation {
	const sector = 512
	var out []operation
	for _, i := range rng.Perm(len(ops)) {
		op := ops[i]
		switch {
		case rng.IntN(3) == 0:
		case !tear || op.kind != 'w' || rng.IntN(2) == 0:
			out = append(out, op)
		default:
			for at := 0; at < len(op.data); at += sector {
				if part := op.data[at:min(at+sector, len(op.data))]; rng.IntN(2) == 0 {
					cut := part[:len(part)-rng.IntN(2)*rng.IntN(len(part))]
					out = append(out, operation{file: op.file, kind: 'w', off: op.off + int64(at), data: cut})
				}
			}
		}
	}
	return out
}

// after is the files' content after a power cut.
func (p *platter) after(rng *rand.Rand, what fate) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range []string{dbFile, walFile} {
		b := slices.Clone(p.synced[name])
		for _, op := range what(rng, p.since[name]) {
			b = op.onto(b)
		}
		files[name] = b
	}
	return files
}
