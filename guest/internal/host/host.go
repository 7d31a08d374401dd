// Package host is the functions of extism:host/env and extism:host/user that package guest is made of: blocks of bytes in, blocks of
// bytes out. It does not know what is in them. Each function here reaches one of the host's, since a module imports what its code
// reaches.
package host

import "errors"

// ErrOutside is what there is to say where there is no host.
var ErrOutside = errors.New("there is no wcron around this program: build it with GOOS=wasip1 GOARCH=wasm and run it as a job")

// Level is how much a line of the log matters.
type Level int

// The levels.
const (
	LogTrace Level = iota
	LogDebug
	LogInfo
	LogWarn
	LogError
)
