//go:build !unix

package sandbox

import "io/fs"

const nonblock = 0

func identity(fs.FileInfo) (inode, links uint64) { return 0, 1 }
