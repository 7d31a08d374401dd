//go:build !linux

package bench

import (
	"errors"

	"github.com/wcron/wcron/host"
)

func witnessed(*host.Config, order) error {
	return errors.New("a witness needs the boot clock, which is read on Linux only")
}
