package plugins

import (
	"errors"
	"os"
	"syscall"
)

// sharingViolation is what a second open of a file that is not shared returns.
const sharingViolation = syscall.Errno(32)

// tryLock takes the lock on a file, or returns false if another process or another editor in this one holds it: the file is
// open without sharing. The system closes it at any death of its holder, so it never has to be broken.
func tryLock(path string) (unlock func(), ok bool, err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, false, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { syscall.CloseHandle(h) }, true, nil
}
