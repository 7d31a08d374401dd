//go:build !linux && !darwin

package sqlitestore

import "fmt"

func limited(mode string, _ *Store) error {
	return fmt.Errorf("mode %q is not for this platform", mode)
}
