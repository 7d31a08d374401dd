//go:build !unix

package sandbox

import (
	"fmt"
	"io/fs"
)

// private tells whether a folder is one. Who may write to it is not visible in its mode here: it inherits the rights of
// the folder that it lies in.
func private(info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("it is not a folder")
	}
	return nil
}
