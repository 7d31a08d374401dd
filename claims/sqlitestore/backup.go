package sqlitestore

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

// A backup is a tar file: the database, the output files that it names, the approved modules that are kept beside it, and at the end the
// seal, without which it is not whole. Form 1 has no modules.
const (
	backupDB   = "ledger.db"
	backupSeal = "backup.json"
	backupForm = 2

	modulesDir = "modules" // bytes of plugins by digest, which others keep there
	moduleExt  = ".wasm"

	schemaWithGrants = 4
)

// seal ends a backup.
type seal struct {
	Form    int   `json:"form"`
	Schema  int   `json:"schema"`
	Outputs int64 `json:"outputs"`
	Modules int64 `json:"modules"`
	Bytes   int64 `json:"bytes"` // of all of them
}

// backupTries is how often a backup is begun again because an output that it names was pruned meanwhile.
const backupTries = 5

// Backup writes all that the store holds into a new file, as of one moment, while hosts go on: nobody waits for it, not even for
// the short lock. The copy is checked before it counts. It ends with an error and without a file when there is something of that
// name already, when the file would lie in the store's own folder, when the disk is full, and when the store is damaged:
// claims.ErrCorrupt.
//
// The bytes of approved plugins, and those of the digests in also, go with it where the folder "modules" has them: so that a job whose
// plugin folder holds an update that waits goes on after a restore.
func (s *Store) Backup(ctx context.Context, file string, also ...string) (bytes int64, err error) {
	op := "back up the store to " + file
	if s.holds(file) {
		return 0, fmt.Errorf("%s: it would lie in the folder of the store, and be lost with it: choose a place elsewhere", op)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s: there is a file of that name: choose another one, or move it away", op)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w: choose a folder that is there and that this user may write to", op, err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			bytes, err = 0, errors.Join(err, os.Remove(file))
		}
	}()
	for n := 1; ; n++ {
		if bytes, err = s.backup(ctx, f, also); err == nil || !errors.Is(err, errPruned) || n == backupTries {
			break
		}
		if _, err = f.Seek(0, io.SeekStart); err != nil {
			break
		}
		if err = f.Truncate(0); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(filepath.Dir(file))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, sqlite3.FULL) {
		return bytes, fmt.Errorf("%s: no space left, there or in %s for the copy that is checked first: free some: %w", op, s.dir, err)
	}
	return bytes, s.explain(op, err)
}

// holds tells whether a file lies in the store's folder, or below it.
func (s *Store) holds(file string) bool {
	abs, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	dir, own := filepath.Dir(abs), s.dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	if real, err := filepath.EvalSymlinks(own); err == nil {
		own = real
	}
	rel, err := filepath.Rel(own, dir)
	return err == nil && filepath.IsLocal(rel)
}

var errPruned = errors.New("an output was pruned meanwhile")

// backup writes one try.
func (s *Store) backup(ctx context.Context, to io.Writer, also []string) (int64, error) {
	work, err := os.MkdirTemp(s.dir, "backup-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	copied := filepath.Join(work, backupDB)
	if err := s.copyDB(ctx, copied); err != nil {
		return 0, err
	}
	has, err := inspect(copied)
	if err != nil {
		return 0, err
	}
	w := tar.NewWriter(to)
	end := seal{Form: backupForm, Schema: has.schema, Outputs: int64(len(has.outputs))}
	add := func(name, path string) error {
		n, err := addFile(w, name, path)
		end.Bytes += n
		return err
	}
	if err := add(backupDB, copied); err != nil {
		return 0, err
	}
	for _, name := range has.outputs {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := add("output/"+name, filepath.Join(s.dir, "output", filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("%w: %w", errPruned, err)
		}
		if err != nil {
			return 0, err
		}
	}
	for _, digest := range modules(append(has.approved, also...)) {
		path := filepath.Join(s.dir, modulesDir, digest+moduleExt)
		if is, err := fileDigest(path); err != nil || is != digest {
			continue // a decision outlives the bytes that nobody needs any more; damaged ones nobody can use
		}
		err := errors.Join(ctx.Err(), add(modulesDir+"/"+digest+moduleExt, path))
		if errors.Is(err, fs.ErrNotExist) { // swept meanwhile
			continue
		}
		if err != nil {
			return 0, err
		}
		end.Modules++
	}
	text, err := json.Marshal(end)
	if err != nil {
		return 0, err
	}
	err = w.WriteHeader(&tar.Header{Name: backupSeal, Mode: fileMode, Size: int64(len(text)), ModTime: time.Unix(0, 0)})
	if err == nil {
		_, err = w.Write(text)
	}
	return end.Bytes, errors.Join(err, w.Close())
}

// modules are the digests among some texts, each once.
func modules(list []string) []string {
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" })
}

// fileDigest is the SHA-256 of a plain file.
func fileDigest(path string) (string, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// copyDB copies the database as of one moment, by a connection of its own.
func (s *Store) copyDB(ctx context.Context, to string) (err error) {
	c, err := openConn(s.path(), s.cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	b, err := c.db.BackupInit("main", fileURI(to, s.cfg.vfs))
	if err != nil {
		return err
	}
	for done := false; !done && err == nil; {
		// All in one step is one snapshot; smaller steps begin again whenever somebody commits.
		if done, err = b.Step(-1); err == nil {
			err = ctx.Err()
		}
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return errors.Join(err, room(filepath.Dir(to)))
	}
	return errors.Join(os.Chmod(to, fileMode), syncFile(to))
}

// room tries whether a disk takes a little more. SQLite's copying tells a full one as any other fault of a disk.
func room(dir string) error {
	f, err := os.CreateTemp(dir, "room-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// contents is what a database names outside of itself.
type contents struct {
	schema   int
	outputs  []string // files
	approved []string // digests of modules
}

// inspect checks a copy of a database thoroughly, and answers what it names.
func inspect(path string) (has contents, err error) {
	if err := checkSize(path); err != nil {
		return has, err
	}
	db, err := sqlite3.OpenFlags(fileURI(path, ""), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return has, err
	}
	c := &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}
	defer func() { err = errors.Join(err, c.close()) }()
	if has.schema, err = check(c); err != nil {
		return has, err
	}
	result := ""
	if _, err := c.one(func(st *sqlite3.Stmt) { result = st.ColumnText(0) }, "PRAGMA integrity_check(1)"); err != nil {
		return has, err
	}
	if result != "ok" {
		return has, fmt.Errorf("%w: %s", claims.ErrCorrupt, result)
	}
	err = c.each(func(st *sqlite3.Stmt) error {
		has.outputs = append(has.outputs, st.ColumnText(0))
		return nil
	}, `SELECT DISTINCT out_file FROM runs WHERE out_file <> '' ORDER BY out_file`)
	if err != nil || has.schema < schemaWithGrants {
		return has, err
	}
	err = c.each(func(st *sqlite3.Stmt) error {
		has.approved = append(has.approved, st.ColumnText(0))
		return nil
	}, `SELECT DISTINCT digest FROM grants WHERE decision = 'approved'`)
	return has, err
}

func addFile(w *tar.Writer, name, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	err = w.WriteHeader(&tar.Header{Name: name, Mode: fileMode, Size: info.Size(), ModTime: info.ModTime()})
	if err != nil {
		return 0, err
	}
	return io.Copy(w, f)
}
