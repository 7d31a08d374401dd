package crontab

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// Name makes a name of a command, for people: that of its program, or of the script that an interpreter or a wrapper is to run. It
// has lower-case letters, digits, hyphens and underscores, 40 characters at most, and begins with a letter or a digit.
func Name(command string) string {
	if name := named(command); name != "" {
		return name
	}
	return "job"
}

// named is Name, or nothing.
func named(command string) string {
	last := ""
	for _, step := range steps(command) {
		name := clean(program(step))
		if name != "" && !slices.Contains(preludes, name) {
			return name
		}
		last = firstOf(name, last)
	}
	return last
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// preludes are commands that a line begins with before it comes to the point.
var preludes = []string{"cd", "test", "export", "source", "set", "umask", "sleep", "true", "mkdir", "pushd", "ulimit", "unset", "trap", "echo", "date"}

// steps are the commands of a line of shell, as words without their quotes, as far as they can be told without a shell.
func steps(command string) [][]string {
	var out [][]string
	var words []string
	var b strings.Builder
	begun := false // a word
	quote := rune(0)
	end := func(step bool) {
		if begun {
			words = append(words, b.String())
		}
		b.Reset()
		begun = false
		if step && len(words) > 0 {
			out, words = append(out, words), nil
		}
	}
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case strings.ContainsRune(";|&\n(){}`", r):
			end(r != '{' && r != '}')
		case unicode.IsSpace(r):
			end(false)
		default:
			b.WriteRune(r)
			begun = true
		}
	}
	end(true)
	return out
}

// wrappers run another command; the value is how many words of their own they take besides flags.
var wrappers = map[string]int{
	"env": 0, "sudo": 0, "nice": 0, "ionice": 0, "nohup": 0, "exec": 0, "time": 0, "setsid": 0, "chronic": 0, "command": 0, "timeout": 1, "flock": 1,
	"su": 1, "runuser": 0, "chrt": 0, "taskset": 1, "stdbuf": 0, "if": 0, "then": 0, "do": 0, "else": 0, "!": 0, "bundle": 0, "cronic": 0, "systemd-cat": 0, "run-parts": 0,
}

// interpreters run a script.
var interpreters = []string{
	"sh", "bash", "dash", "zsh", "ksh", "python", "python2", "python3", "perl", "php", "ruby", "node", "nodejs", "java", "pwsh", "Rscript", "lua", "deno", "bun",
}

// flagged are flags of wrappers and interpreters that take a word.
var flagged = map[string]bool{"-u": true, "-n": true, "-c": true, "-C": true, "-g": true, "-jar": false, "-w": true, "-k": true, "-s": true, "-f": true, "-p": true}

// program is the word of a command that tells what it is.
func program(words []string) string {
	for i := 0; i < len(words); i++ {
		w := words[i]
		base := path.Base(w)
		own, wraps := wrappers[base]
		switch {
		case w == "" || redirects(w):
			continue
		case w == "[" || w == "[[":
			return "test"
		case assigns(w):
			continue
		case wraps:
			i = skip(words, i, own, base)
		case slices.Contains(interpreters, base):
			if script := scriptOf(words[i+1:]); script != "" {
				return script
			}
			return base
		default:
			return base
		}
	}
	return ""
}

// skip passes over the flags of a wrapper and the words of its own.
func skip(words []string, at, own int, base string) int {
	for at+1 < len(words) {
		next := words[at+1]
		switch {
		case strings.HasPrefix(next, "-"):
			at++
			if flagged[next] && at+1 < len(words) && base != "flock" && base != "su" {
				at++
			}
		case own > 0:
			own--
			at++
		default:
			return at
		}
	}
	return at
}

// scriptOf is the first word after an interpreter's flags, without its ending; what is given to -c is a command of its own.
func scriptOf(words []string) string {
	for i, w := range words {
		switch {
		case w == "-c" || w == "-lc" || w == "-ec":
			if i+1 < len(words) {
				return named(words[i+1])
			}
			return ""
		case w == "-e" || w == "-r": // a program in the line itself
			return ""
		case w == "-m" && i+1 < len(words):
			return words[i+1]
		case w == "", strings.HasPrefix(w, "-"), assigns(w), redirects(w):
			continue
		}
		return path.Base(w)
	}
	return ""
}

func redirects(w string) bool {
	return strings.HasPrefix(w, "<") || strings.HasPrefix(w, ">") || strings.HasPrefix(w, "2>")
}

// assigns tells whether a word sets a variable for the command.
func assigns(w string) bool {
	name, _, ok := strings.Cut(w, "=")
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

const longest = 40

// clean makes a name of a program's.
func clean(base string) string {
	base = strings.ToLower(base)
	for _, ending := range []string{".sh", ".bash", ".py", ".pl", ".php", ".rb", ".js", ".jar", ".exe", ".mjs", ".ts"} {
		base = strings.TrimSuffix(base, ending)
	}
	var b strings.Builder
	for _, r := range base {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	return strings.TrimRight(name[:min(len(name), longest)], "-_")
}
