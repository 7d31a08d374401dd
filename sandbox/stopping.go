package sandbox

import (
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// This file is all that knows how running code is stopped when its context ends. Today the engine compiles a check
// into the head of each loop, and closes the module with one of two exit codes.

func withStopping(cfg wazero.RuntimeConfig) wazero.RuntimeConfig {
	return cfg.WithCloseOnContextDone(true)
}

// stoppedByEngine tells whether the engine may have stopped a guest whose context is done. A guest can exit with these
// codes too; with a context that is done this makes no difference worth telling.
func stoppedByEngine(code uint32) bool {
	return code == sys.ExitCodeContextCanceled || code == sys.ExitCodeDeadlineExceeded
}
