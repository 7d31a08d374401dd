package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
)

// A program that compiles in a child process starts itself again for that. Its main looks first whether it is that child.
func ExampleCompileWorker() {
	ctx := context.Background()
	if len(os.Args) > 1 && os.Args[1] == "__compile" {
		if err := sandbox.CompileWorker(ctx, os.Stdin, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}

	self, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := sandbox.New(ctx, sandbox.Config{
		Compiler:       []string{self, "__compile"},
		CompileTimeout: time.Minute,
		CompileMemory:  1 << 30,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	module, err := engine.Compile(ctx, guest.Greet("compiled elsewhere"))
	if err != nil {
		fmt.Println(err)
		return
	}
	module.Run(ctx, sandbox.Run{Stdout: os.Stdout})
	// Output: compiled elsewhere
}
