package output

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Kept is what was kept of a stream: in memory or in a file, never both.
type Kept struct {
	// Inline holds the kept bytes, cut line included, when File is empty. It is shared: do not change it.
	Inline []byte
	// File is the path of DIR/<name>.out, synced together with its folder; "" when Inline holds the output. The caller renames it away
	// and syncs the folder it goes to.
	File string
	// Bytes is the number of bytes kept, cut line included: the length of Inline or of File.
	Bytes int64
	// Cut is the number of bytes of the stream that were left out; 0 when it was kept whole.
	Cut int64
	// Digest is the SHA-256 of the kept bytes in lower-case hex.
	Digest string
}

// keep shapes the stream to the limit. The result stays in memory up to inline bytes, and always when dir is "".
func (v *view) keep(limit, inline int64, dir, name string) (Kept, error) {
	head, tail, err := v.cut(limit)
	if err != nil {
		return Kept{}, err
	}
	k := Kept{Cut: tail - head}
	line := ""
	if k.Cut > 0 {
		line = cutLine(k.Cut)
	}
	k.Bytes = head + int64(len(line)) + v.end - tail
	from := io.MultiReader(v.section(0, head), strings.NewReader(line), v.section(tail, v.end))
	if dir == "" || k.Bytes <= inline {
		k.Inline = make([]byte, k.Bytes)
		if _, err := io.ReadFull(from, k.Inline); err != nil {
			return Kept{}, fmt.Errorf("read back: %w", err)
		}
		sum := sha256.Sum256(k.Inline)
		k.Digest = hex.EncodeToString(sum[:])
		return k, nil
	}
	k.Digest, err = store(from, k.Bytes, dir, name)
	if err != nil {
		return Kept{}, err
	}
	k.File = outPath(dir, name)
	return k, nil
}

// store writes the finished output and makes it durable. DIR/<name>.out is there whole or not at all.
func store(from io.Reader, size int64, dir, name string) (digest string, err error) {
	part := partPath(dir, name)
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), from)
	if err == nil && n != size {
		err = fmt.Errorf("read back: %d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part, outPath(dir, name))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		os.Remove(part)
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// syncDir makes the entries of a folder durable. Windows has no such call, and some network file systems refuse it: there the
// rename is as durable as that system makes it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
