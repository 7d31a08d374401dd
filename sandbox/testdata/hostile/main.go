// Command hostile writes the corpus of hostile modules into a folder, to be run with wcron exec:
//
//	go run ./sandbox/testdata/hostile DIR
//	wcron exec --timeout 50ms DIR/loop.wasm
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/wcron/wcron/internal/guest/hostile"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./sandbox/testdata/hostile DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range hostile.All() {
		if err := os.WriteFile(filepath.Join(dir, s.Name+".wasm"), s.Wasm(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
