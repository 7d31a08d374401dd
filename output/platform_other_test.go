//go:build !linux

package output

func platformChildren() map[string]func(args []string) { return nil }
