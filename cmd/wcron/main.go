// Command wcron runs WebAssembly jobs on their schedules. It wires the packages of this module to flags, files, signals and exit
// codes, and knows nothing that they know.
package main

import (
	"context"
	"os"
	"time"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], &app{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		now:    time.Now,
		getenv: os.Getenv,
	}))
}
