//go:build !linux

package plugins

import (
	"io/fs"
	"time"
)

// changed is when the file's content last changed.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }
