//go:build !race

package sandbox

const racing = false
