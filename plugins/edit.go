package plugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
)

// Errors of the files of jobs.d.
var (
	ErrExists   = errors.New("the job exists already")
	ErrHostFile = errors.New("the job is defined in the host file; change it there")
	ErrNoFile   = errors.New("jobs.d has no such job")
	ErrEdited   = errors.New("the file was changed by somebody else meanwhile; read it again")
	ErrEditing  = errors.New("somebody else is changing jobs.d; try again")
)

// Mode is what WriteJob expects to be there.
type Mode int

// The modes of WriteJob.
const (
	Create  Mode = iota // nothing: the job is new
	Replace             // the version whose digest is given
)

const (
	maxJobFile = 256 << 10
	lockName   = ".wcron-lock" // in jobs.d; never removed, since a lock on a removed file binds nobody
	lockWait   = 2 * time.Second
	lockPause  = 10 * time.Millisecond
)

// ReadJob returns what jobs.d/NAME.toml says, and the digest that a later WriteJob or RemoveJob needs. The digest is there also
// with a *config.Error, which says why the text is refused. ErrNoFile: there is no such file.
func ReadJob(hostFile, name string) (config.Job, string, error) {
	path, err := jobPath(hostFile, name)
	if err != nil {
		return config.Job{}, "", err
	}
	b, err := readJobFile(path)
	if err != nil {
		return config.Job{}, "", fmt.Errorf("read job %s: %w", name, err)
	}
	job, err := config.ParseJob(path, b, config.KindJobFile)
	return job, digestOf(b), err
}

// WriteJob writes jobs.d/NAME.toml, beside the host file, as a whole: after a crash there is the old file or the new one.
//
// With Create it fails with ErrExists if jobs.d has the job, also in another spelling of case, and with ErrHostFile if the host
// file defines it. With Replace the file must be the one of ifDigest, as ReadJob returned it: else it fails with ErrEdited, or
// with ErrNoFile if it is gone. A job that cannot be written so that it reads back the same is refused.
//
// Editors that use this function hold a lock, so that of two that read the same version one wins and the other gets ErrEdited. A
// lock that is not had within two seconds is ErrEditing. A new file never goes over one that another program made meanwhile; a
// program that changes an existing file without the lock, in the moment between the look and the rename, is not seen.
func WriteJob(hostFile, name string, j config.Job, mode Mode, ifDigest string) error {
	path, err := jobPath(hostFile, name)
	if err != nil {
		return err
	}
	text, err := config.EncodeJob(j, config.KindJobFile)
	if err != nil {
		return fmt.Errorf("write job %s: %w", name, err)
	}
	return edit(path, func() error {
		if mode == Create {
			if err := undefined(hostFile, path, name); err != nil {
				return fmt.Errorf("add job %s: %w", name, err)
			}
			return create(path, text)
		}
		if err := unchanged(path, ifDigest); err != nil {
			return fmt.Errorf("change job %s: %w", name, err)
		}
		return writeAtomic(path, text, 0o600)
	})
}

// RemoveJob removes jobs.d/NAME.toml if it is the one of ifDigest. It fails as WriteJob does with Replace.
func RemoveJob(hostFile, name, ifDigest string) error {
	path, err := jobPath(hostFile, name)
	if err != nil {
		return err
	}
	return edit(path, func() error {
		if err := unchanged(path, ifDigest); err != nil {
			return fmt.Errorf("remove job %s: %w", name, err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

func jobPath(hostFile, name string) (string, error) {
	if err := config.ValidName(name); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(hostFile)
	if err != nil {
		return "", err
	}
	return filepath.Join(config.Default(filepath.Dir(abs)).JobsDir, name+sidecarExt), nil
}

// edit calls change with the lock of jobs.d held.
func edit(path string, change func() error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock := filepath.Join(dir, lockName)
	for waited := time.Duration(0); ; waited += lockPause {
		unlock, ok, err := tryLock(lock)
		if err != nil {
			return fmt.Errorf("lock %s: %w", dir, err)
		}
		if ok {
			defer unlock()
			return change()
		}
		if waited >= lockWait {
			return fmt.Errorf("lock %s: %w", dir, ErrEditing)
		}
		time.Sleep(lockPause)
	}
}

// undefined makes sure that nothing defines the job.
func undefined(hostFile, path, name string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	for _, other := range jobFiles(filepath.Dir(path)) {
		if strings.EqualFold(filepath.Base(other), filepath.Base(path)) {
			return fmt.Errorf("%w: %s differs only in case", ErrExists, other)
		}
	}
	file, err := config.Load(hostFile)
	if err != nil {
		return fmt.Errorf("the configuration has to be in order first: %w", err)
	}
	for other, e := range file.Jobs {
		if strings.EqualFold(other, name) {
			return fmt.Errorf("%w: %s", ErrHostFile, e.Pos)
		}
	}
	return nil
}

// unchanged makes sure that the file is the one that was read.
func unchanged(path, digest string) error {
	b, err := readJobFile(path)
	if err != nil {
		return err
	}
	if digestOf(b) != digest {
		return fmt.Errorf("%w: %s", ErrEdited, path)
	}
	return nil
}

func readJobFile(path string) ([]byte, error) {
	st, f, err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoFile, path)
	}
	var b []byte
	if f == nil {
		b, f, err = read(path, st, maxJobFile)
	}
	if f != nil {
		return nil, fmt.Errorf("%s: %s; %s", path, f.what, f.remedy)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrEdited, path)
	}
	return b, nil
}

// create puts a file where none is, in one step: a link, unlike a rename, does not go over another file.
func create(path string, text []byte) error {
	temp, err := writeTemp(path, text, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err != nil { // a file system without links
		if _, serr := os.Lstat(path); serr == nil {
			return fmt.Errorf("%w: %s", ErrExists, path)
		}
		if err = os.Rename(temp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}
