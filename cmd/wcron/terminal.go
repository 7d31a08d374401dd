package main

import (
	"io"
	"strconv"

	"golang.org/x/term"
)

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := file(w)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns stdout has: the terminal's, else COLUMNS, else 0 for no limit.
func (a *app) width() int {
	if f, ok := file(a.stdout); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 0
}

// The colours that are used, as SGR parameters.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// colour reports whether colours may be used on stdout: only on a terminal, and never with NO_COLOR.
func (a *app) colour() bool {
	return terminal(a.stdout) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

// paint colours a text if colours are used.
func (a *app) paint(sgr, text string) string {
	if !a.colour() {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}
