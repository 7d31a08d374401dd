//go:build !linux && !darwin && !windows

package fingerprint

import (
	"errors"
	"fmt"
	"runtime"
)

func (local) Here() (Place, error) {
	return Place{}, fmt.Errorf("process identity on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (local) Process(int) Process {
	return Process{Why: "process identity is not supported on " + runtime.GOOS}
}
