package sqlitestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/wcron/wcron/claims"
)

const inlineLimit = 64 << 10 // outputs up to this length travel inside the commit

// kept is an output as the transaction records it.
type kept struct {
	inline []byte
	file   string // name below output/
	bytes  int64
	cut    int64
	digest string
	part   bool
}

// takeOver makes an output durable outside the transaction, as far as it does not travel inside.
func (s *Store) takeOver(ctx context.Context, now time.Time, run string, o claims.Output) (kept, error) {
	k := kept{bytes: o.Bytes, cut: o.Cut, digest: o.Digest, part: o.Partial}
	switch {
	case s.cfg.ReadOnly || ctx.Err() != nil:
		return k, ctx.Err() // write says why it does not come to it
	case o.Bytes == 0:
		return k, nil
	case o.File == "" && int64(len(o.Inline)) != o.Bytes:
		return k, fmt.Errorf("the output of run %s has %d bytes and %d were given", run, o.Bytes, len(o.Inline))
	case o.File == "" && len(o.Inline) <= inlineLimit:
		k.inline = o.Inline
		return k, nil
	case !plain(run):
		return k, fmt.Errorf("run id %q has characters that a file name must not have", run)
	}
	name, err := outputName(run, o)
	if err != nil {
		return k, fmt.Errorf("keep the output of run %s: %w", run, err)
	}
	if err := s.place(now, name, o); err != nil {
		return k, fmt.Errorf("keep the output of run %s: %w", run, err)
	}
	k.file = filepath.ToSlash(name)
	return k, nil
}

// outputName holds a part of the content's digest, so that a late result never replaces the file of the one that won.
func outputName(run string, o claims.Output) (string, error) {
	digest := o.Digest
	if digest == "" && o.File == "" {
		sum := sha256.Sum256(o.Inline)
		digest = hex.EncodeToString(sum[:])
	}
	if len(digest) < 8 || !plain(digest) {
		return "", fmt.Errorf("its digest %q is none", digest)
	}
	return filepath.Join(folderOf(run), run+"-"+digest[:8]+".log"), nil
}

func folderOf(run string) string {
	sum := sha256.Sum256([]byte(run))
	return hex.EncodeToString(sum[:1])
}

// place puts an output file where it belongs, synced with its folder. A second call with the same output finds it there.
func (s *Store) place(now time.Time, name string, o claims.Output) error {
	root := filepath.Join(s.dir, "output")
	target := filepath.Join(root, name)
	err := os.Mkdir(filepath.Dir(target), dirMode)
	if err == nil {
		err = syncDir(root)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if o.File == "" {
		err = writeSynced(target, bytes.NewReader(o.Inline))
	} else {
		err = moveSynced(o.File, target, o.Bytes)
	}
	if err != nil {
		return err
	}
	// Prune goes by this time when it looks for files that no run names.
	return errors.Join(os.Chmod(target, fileMode), os.Chtimes(target, now, now), syncDir(filepath.Dir(target)))
}

func moveSynced(from, to string, size int64) error {
	if info, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		if there, again := os.Stat(to); again == nil && there.Size() == size {
			return nil // an earlier call has moved it
		}
		return err
	} else if err != nil {
		return err
	} else if info.Size() != size {
		return fmt.Errorf("%s has %d bytes and %d were announced", from, info.Size(), size)
	}
	err := os.Rename(from, to)
	if err == nil || !errors.Is(err, syscall.EXDEV) {
		return err
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	err = errors.Join(writeSynced(to, f), f.Close())
	if err != nil {
		return err
	}
	return os.Remove(from)
}

func writeSynced(path string, r io.Reader) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

const (
	setOutput    = `UPDATE runs SET out_file = ?2, out_bytes = ?3, out_cut = ?4, out_digest = ?5, out_part = ?6 WHERE run_id = ?1`
	insertOutput = `INSERT INTO outputs (run_id, body) VALUES (?,?) ON CONFLICT (run_id) DO UPDATE SET body = excluded.body`
	queryOutput  = `SELECT body FROM outputs WHERE run_id = ?`
	deleteOutput = `DELETE FROM outputs WHERE run_id = ?`
)

// keepOutput records an output. It replaces the one that a recovery has found, if any.
func (t *tx) keepOutput(run string, k *kept) error {
	if k.bytes == 0 && k.cut == 0 {
		return nil
	}
	if _, err := t.exec(setOutput, run, k.file, k.bytes, k.cut, k.digest, k.part); err != nil {
		return err
	}
	if len(k.inline) == 0 {
		_, err := t.exec(deleteOutput, run)
		return err
	}
	_, err := t.exec(insertOutput, run, k.inline)
	return err
}

// Output opens what an ended run wrote. ErrNoRun; an empty output, and that of a run that has not ended, reads as no bytes.
func (s *Store) Output(ctx context.Context, runID string) (io.ReadCloser, error) {
	var run claims.Run
	var body []byte
	op := "read the output of run " + runID
	err := s.read(ctx, op, func(c *conn) error {
		r, found, err := c.run(runID)
		if err != nil {
			return err
		}
		if !found {
			return claims.ErrNoRun
		}
		run = r
		if r.Output.Bytes == 0 || r.Output.File != "" {
			return nil
		}
		found, err = c.one(func(st *sqlite3.Stmt) { body = blob(st, 0) }, queryOutput, runID)
		if err == nil && !found {
			err = errors.New("its bytes are not there")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if run.Output.File == "" {
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	f, err := os.Open(filepath.Join(s.dir, "output", filepath.FromSlash(run.Output.File)))
	if err != nil {
		return nil, s.explain(op, err)
	}
	return f, nil
}
