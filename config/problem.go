package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Line and Col count from 1, Col in characters; Line 0 means the file as a whole.
type Position struct {
	File string
	Line int
	Col  int
}

// String is "file:line:col", or "file" for the file as a whole.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Problem is one thing that is wrong with a file, and what a person can do about it. Line 0 means the file as a whole.
type Problem struct {
	File      string
	Line, Col int
	What      string
	Remedy    string
}

// String is one line: "file:line:col: what; remedy".
func (p Problem) String() string {
	s := Position{p.File, p.Line, p.Col}.String() + ": " + p.What
	if p.Remedy != "" {
		s += "; " + p.Remedy
	}
	return s
}

// Error is what [Load] and [ParseJob] return for text that they refuse. Problems is never empty and stands in the order of the
// files and, within a file, of the text.
type Error struct {
	Problems []Problem
}

// shownProblems bounds the message, not the list: a file may hold one problem per key.
const shownProblems = 50

// Error is one line per problem, at most 50 of them and then how many more there are.
func (e *Error) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == shownProblems {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(e.Problems)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with several files. The order in which files are named first is the order of the report.
type problems struct {
	list  []Problem
	files map[string]int
}

func (ps *problems) add(p Problem) {
	if ps.files == nil {
		ps.files = map[string]int{}
	}
	if _, ok := ps.files[p.File]; !ok {
		ps.files[p.File] = len(ps.files)
	}
	ps.list = append(ps.list, p)
}

// err is nil when nothing was added.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(ps.files[a.File], ps.files[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return &Error{Problems: ps.list}
}

// advice is an error whose remedy can be told apart.
type advice struct {
	what   string
	remedy string
}

func (a advice) Error() string { return a.what + "; " + a.remedy }
