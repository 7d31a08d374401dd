// Package crontab reads the tables of cron(8): those of users, the system's with their column of users, and those of supercronic with
// seconds and years. It takes a line apart and says where each part stands; whether a schedule makes sense is for others to say. It
// never fails: what it cannot read is a problem of that line, and the rest goes on.
package crontab

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// File is what a table says.
type File struct {
	Entries  []Entry
	Settings []Setting
	Problems []Problem
	System   bool // its entries have a column of users
}

// Entry is a line that runs a command.
type Entry struct {
	Line     int
	Text     string // as written, without the space around it
	Fields   []Word // five to seven of them, or a macro such as @daily
	User     string // of a system table
	Command  string
	Input    string // what the command reads: what follows the first percent sign; newlines are at the further ones
	HasInput bool
	Quiet    bool   // a hyphen in front: cron does not log it
	Zone     string // CRON_TZ as of this line
	Delay    string // RANDOM_DELAY as of this line, in minutes
}

// Setting is a line that sets a variable.
type Setting struct {
	Line, Col   int
	Name, Value string
}

// Word is a part of a line. Columns count from 1, in characters.
type Word struct {
	Text string
	Col  int
}

// Problem is a line that cannot be read.
type Problem struct {
	Line, Col int
	Text      string // the line
	What      string
	Remedy    string
}

// Columns says whether entries have a column of users.
type Columns int

// The kinds of tables.
const (
	Guess  Columns = iota // they have one if it names users that each system has
	User                  // they have none
	System                // they have one
)

// Parse reads a table.
func Parse(text string, columns Columns) File {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	f := File{System: columns == System}
	if columns == Guess {
		f.System = guess(lines)
	}
	zone, delay := "", ""
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		blank := strings.TrimLeft(line, " \t")
		if blank == "" || blank[0] == '#' {
			continue
		}
		if s, ok := setting(line); ok {
			s.Line = i + 1
			f.Settings = append(f.Settings, s)
			switch s.Name {
			case "CRON_TZ":
				zone = s.Value
			case "RANDOM_DELAY":
				delay = s.Value
			}
			continue
		}
		e, p := entry(line, f.System)
		if p != nil {
			p.Line, p.Text = i+1, strings.TrimSpace(line)
			f.Problems = append(f.Problems, *p)
			continue
		}
		e.Line, e.Text, e.Zone, e.Delay = i+1, strings.TrimSpace(line), zone, delay
		f.Entries = append(f.Entries, e)
	}
	return f
}

var settingLine = regexp.MustCompile(`^[ \t]*("[^"]*"|'[^']*'|[^\s=]+)[ \t]*=[ \t]*(.*)$`)

// setting reads NAME = VALUE, either of which may be in quotes.
func setting(line string) (Setting, bool) {
	m := settingLine.FindStringSubmatchIndex(line)
	if m == nil {
		return Setting{}, false
	}
	name := unquoted(line[m[2]:m[3]])
	return Setting{Col: column(line, m[2]), Name: name, Value: unquoted(strings.TrimRight(line[m[4]:m[5]], " \t"))}, name != ""
}

func unquoted(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// column is that of a byte of a line.
func column(line string, at int) int { return utf8.RuneCountInString(line[:at]) + 1 }

var word = regexp.MustCompile(`[^ \t]+`)

// entry reads a schedule and a command, with a user between them in a system table.
func entry(line string, system bool) (Entry, *Problem) {
	var e Entry
	at := word.FindAllStringIndex(line, 9)
	if first := line[at[0][0]:at[0][1]]; len(first) > 1 && first[0] == '-' {
		e.Quiet = true
		at[0][0]++
	}
	words := make([]Word, len(at))
	for i, w := range at {
		words[i] = Word{line[w[0]:w[1]], column(line, w[0])}
	}
	n := fields(words)
	if n > len(words) {
		return e, &Problem{Col: words[0].Col, What: "it has " + number(len(words), "field") + ", which is neither a schedule with a command nor a setting",
			Remedy: "write five fields and a command, or NAME=VALUE"}
	}
	e.Fields = words[:n]
	if system {
		if n >= len(words) {
			return e, &Problem{Col: column(line, len(strings.TrimRight(line, " \t"))), What: "the user and the command are missing", Remedy: "write both after the schedule"}
		}
		e.User = words[n].Text
		n++
	}
	if n >= len(words) {
		what, remedy := "the command is missing", "write it after the schedule"
		if system {
			remedy = "write it after the user; a user's own table has no column of users"
		}
		return e, &Problem{Col: column(line, len(strings.TrimRight(line, " \t"))), What: what, Remedy: remedy}
	}
	e.Command, e.Input, e.HasInput = command(strings.TrimRight(line[at[n][0]:], " \t"))
	return e, nil
}

var (
	dayField  = regexp.MustCompile(`(?i)^([*?0-9,/#L~-]|SUN|MON|TUE|WED|THU|FRI|SAT)+$`)
	yearField = regexp.MustCompile(`^[*0-9][*0-9,/-]*$`)
)

// fields is how many of the words are the schedule: one for a macro (two for @every), five, or six with years last, or seven with
// seconds first and years last.
func fields(words []Word) int {
	switch {
	case words[0].Text == "@every":
		return 2
	case strings.HasPrefix(words[0].Text, "@"):
		return 1
	case len(words) > 6 && dayField.MatchString(words[5].Text) && yearField.MatchString(words[6].Text):
		return 7
	case len(words) > 5 && yearField.MatchString(words[5].Text):
		return 6
	}
	return 5
}

// command splits what cron hands to the shell from what it lets the shell read. A percent sign behind a backslash is one.
func command(text string) (cmd, input string, has bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == '%':
			b.WriteByte('%')
			i++
		case c == '%' && !has:
			has, cmd = true, b.String()
			b.Reset()
		case c == '%':
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
		}
	}
	if !has {
		return b.String(), "", false
	}
	return cmd, b.String(), true
}

// accounts are users that a system has from the start. No command has such a name.
var accounts = []string{"root", "daemon", "nobody", "www-data", "smmsp", "munin", "debian-spamd", "Debian-exim", "_www"}

// guess tells whether the entries have a column of users.
func guess(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		blank := strings.TrimLeft(line, " \t")
		if blank == "" || blank[0] == '#' {
			return false
		}
		if _, ok := setting(line); ok {
			return false
		}
		var words []Word
		for _, w := range word.FindAllString(line, 9) {
			words = append(words, Word{Text: w})
		}
		n := fields(words)
		return len(words) > n+1 && slices.Contains(accounts, words[n].Text)
	})
}

func number(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return "only " + strconv.Itoa(n) + " " + one
}
