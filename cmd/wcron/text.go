package main

import (
	"strings"
	"time"
)

// quoted is a path as a person can paste it into a shell.
func quoted(path string) string {
	plain := func(r rune) bool {
		return r == '/' || r == '.' || r == '-' || r == '_' || r == '\\' || r == ':' ||
			'0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if path != "" && !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// milliseconds is a duration as the JSON output gives it.
func milliseconds(d time.Duration) int64 { return d.Milliseconds() }
