package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cell is a piece of text in a table, and its colour.
type cell struct {
	text string
	sgr  string // empty: none
}

// table is rows under headings. Columns that are empty in all rows are left out, and wide ones are cut so that a row fits.
type table struct {
	heads []string
	rows  [][]cell
}

const (
	gap      = 2
	leastCut = 12 // a column is not cut below this
)

// row adds a row; each value is a cell or a text.
func (t *table) row(values ...any) {
	cells := make([]cell, len(values))
	for i, v := range values {
		c, ok := v.(cell)
		if !ok {
			c = cell{text: fmt.Sprint(v)}
		}
		c.text = printable(c.text)
		cells[i] = c
	}
	t.rows = append(t.rows, cells)
}

// write prints the table on stdout.
func (a *app) write(t table) {
	widths := t.widths(a.width())
	var b strings.Builder
	line := func(cells []cell) {
		last := len(cells) - 1
		for last > 0 && (cells[last].text == "" || widths[last] == 0) {
			last--
		}
		for i, c := range cells[:last+1] {
			if widths[i] == 0 {
				continue
			}
			text := cut(c.text, widths[i])
			pad := widths[i] - utf8.RuneCountInString(text) + gap
			if c.sgr != "" {
				text = a.paint(c.sgr, text)
			}
			b.WriteString(text)
			if i < last {
				b.WriteString(strings.Repeat(" ", pad))
			}
		}
		b.WriteByte('\n')
	}
	heads := make([]cell, len(t.heads))
	for i, h := range t.heads {
		heads[i] = cell{h, faint}
	}
	line(heads)
	for _, r := range t.rows {
		line(r)
	}
	fmt.Fprint(a.stdout, b.String())
}

// widths gives each column what it needs, and takes from the widest ones until all fit into total; 0 is no limit.
func (t *table) widths(total int) []int {
	widths := make([]int, len(t.heads))
	sum := -gap
	for i, h := range t.heads {
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], len(h))
			sum += widths[i] + gap
		}
	}
	for total > 0 && sum > total {
		widest := slices.Index(widths, slices.MaxFunc(widths, cmp.Compare[int]))
		if widths[widest] <= max(leastCut, len(t.heads[widest])) {
			break
		}
		widths[widest]--
		sum--
	}
	return widths
}

// cut shortens a text to a number of characters, the last of which then is an ellipsis.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:width-1]) + "…"
}

// printable takes from a text what would move the cursor: reasons hold words of guests and of other people.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// text is *p, or nothing.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// plural is "1 run" or "3 runs".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// shownID is as much of a run id as tells it from others: two of them differ in it even if they began in the same microsecond.
func shownID(id string) string { return id[:min(len(id), 18)] }

// outcomeColour is that of an outcome, a verdict or a job's state.
func outcomeColour(word string) string {
	switch word {
	case "ok", "running":
		return green
	case "failed", "timeout", "trapped", "orphaned", "broken", "disabled":
		return red
	case "killed", "missed", "skipped", "discarded", "paused", "compiling", "pending", "denied":
		return yellow
	}
	return ""
}
