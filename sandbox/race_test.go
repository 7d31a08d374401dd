//go:build race

package sandbox

// racing tells that the race detector slows everything down.
const racing = true
