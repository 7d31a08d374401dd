//go:build !unix

package admin

// private has nothing to look at: folders inherit who may enter them.
func private(string) error { return nil }
