//go:build race

package sqlitestore

// raced tells that the race detector slows everything down.
const raced = true
