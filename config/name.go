package config

import (
	"errors"
	"fmt"
)

// ErrName is wrapped by every error of [ValidName].
var ErrName = errors.New("invalid job name")

const maxName = 64

// ValidName tells whether name can name a job: 1 to 64 ASCII letters, digits, '.', '_' and '-', of which the first is a letter or
// a digit. The error wraps [ErrName] and says what to change.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty; use letters, digits, '.', '_' and '-'", ErrName)
	case len(name) > maxName:
		return fmt.Errorf("%w %s: longer than %d characters; shorten it", ErrName, quote(clip(name)), maxName)
	}
	for i := range len(name) {
		c := name[i]
		alnum := bare(c) && c != '-' && c != '_'
		if i == 0 && !alnum {
			return fmt.Errorf("%w %s: begin it with a letter or a digit", ErrName, quote(name))
		}
		if !bare(c) && c != '.' {
			return fmt.Errorf("%w %s: use only letters, digits, '.', '_' and '-'", ErrName, quote(name))
		}
	}
	return nil
}
