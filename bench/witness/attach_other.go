//go:build !linux

package witness

import (
	"errors"

	"github.com/wcron/wcron/host"
)

// Attach is not supported here.
func Attach(*host.Config) error {
	return errors.New("a witness needs the boot clock, which is read on Linux only")
}
