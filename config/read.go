package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// reader turns one parsed value into a T and a T into TOML. typ and span are what the documentation says of it.
type reader[T any] struct {
	typ   string
	span  string
	read  func(value) (T, bool) // false: the value was reported
	write func(T) string
}

const (
	minSpan = Duration(time.Millisecond)
	maxSpan = Duration(8760 * time.Hour) // a year: far from where deadlines overflow
)

// textual is a value that TOML holds as a string in a format of its own.
type textual interface {
	String() string
	UnmarshalText([]byte) error
}

// durations reads durations from low to high, and 0 too where zero says so.
func durations(zero bool, low, high Duration) reader[Duration] {
	return scalar(bounds[Duration]{zero, low, high}, "duration", `write a number with a unit in quotes, such as "90s"`)
}

// sizes reads sizes from low to high, and 0 too where zero says so.
func sizes(zero bool, low, high Size) reader[Size] {
	return scalar(bounds[Size]{zero, low, high}, "size", `write a number with a unit in quotes, such as "64MiB"`)
}

type bounds[T ~int64] struct {
	zero      bool // 0 is allowed although low is above it
	low, high T
}

func (b bounds[T]) String() string {
	s := fmt.Sprintf("%v to %v", b.low, b.high)
	if b.zero {
		return "0, or " + s
	}
	return s
}

func (b bounds[T]) check(v value, n T) bool {
	if n == 0 && b.zero || b.low <= n && n <= b.high {
		return true
	}
	v.fail(fmt.Sprintf("%v is out of range", n), "write "+b.String())
	return false
}

func scalar[T ~int64, P interface {
	*T
	textual
}](b bounds[T], typ, remedy string) reader[T] {
	return reader[T]{
		typ:  typ,
		span: b.String(),
		read: func(v value) (T, bool) {
			var n T
			if i, ok := v.raw.(int64); ok && i == 0 {
				return n, b.check(v, 0)
			}
			ok := readText(v, "a "+typ, remedy, P(&n)) && b.check(v, n)
			return n, ok
		},
		write: func(n T) string {
			if n == 0 {
				return "0"
			}
			return quote(P(&n).String())
		},
	}
}

// readText reads a string into its own format.
func readText(v value, want, remedy string, into textual) bool {
	s, ok := v.raw.(string)
	if !ok {
		return v.want(want, remedy)
	}
	if err := into.UnmarshalText([]byte(s)); err != nil {
		v.refuse(err)
		return false
	}
	return true
}

func backoffs() reader[Backoff] {
	return reader[Backoff]{
		typ:  "range of durations",
		span: fmt.Sprintf("%v to %v", minSpan, maxSpan),
		read: func(v value) (Backoff, bool) {
			var b Backoff
			limits := bounds[Duration]{low: minSpan, high: maxSpan}
			ok := readText(v, "a range of durations", `write a string such as "10s..10m"`, &b) &&
				limits.check(v, Duration(b.Min)) && limits.check(v, Duration(b.Max))
			return b, ok
		},
		write: func(b Backoff) string { return quote(b.String()) },
	}
}

func budgets() reader[Budget] {
	const least = MiB
	return reader[Budget]{
		typ:  "share or size",
		span: fmt.Sprintf("1%% to 100%%, or %v and more", least),
		read: func(v value) (Budget, bool) {
			var b Budget
			if !readText(v, "a share or a size", `write a string such as "50%" or "2GiB"`, &b) {
				return b, false
			}
			if b.Percent == 0 && Size(b.Bytes) < least {
				v.fail(b.String()+" is out of range", fmt.Sprintf("write %v or more", least))
				return b, false
			}
			return b, true
		},
		write: func(b Budget) string { return quote(b.String()) },
	}
}

func integers[T int | int64](low, high T) reader[T] {
	return reader[T]{
		typ:  "integer",
		span: fmt.Sprintf("%d to %d", low, high),
		read: func(v value) (T, bool) {
			n, ok := v.raw.(int64)
			if !ok {
				return 0, v.want("an integer", "write a whole number without quotes")
			}
			if n < int64(low) || n > int64(high) {
				v.fail(fmt.Sprintf("%d is out of range", n), fmt.Sprintf("write %d to %d", low, high))
				return 0, false
			}
			return T(n), true
		},
		write: func(n T) string { return fmt.Sprint(n) },
	}
}

// texts reads strings of 1 to most bytes without NUL that check accepts.
func texts(span string, most int, check func(string) error) reader[string] {
	return reader[string]{
		typ:  "string",
		span: span,
		read: func(v value) (string, bool) {
			s, ok := v.raw.(string)
			switch {
			case !ok:
				return "", v.want("a string", "write text in quotes")
			case s == "":
				v.fail("is empty", "write a value, or remove the key")
				return "", false
			case strings.ContainsRune(s, 0):
				v.fail("holds a NUL character", "remove it")
				return "", false
			case len(s) > most:
				v.fail(fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("write at most %d bytes", most))
				return "", false
			}
			if check != nil {
				if err := check(s); err != nil {
					v.refuse(err)
					return "", false
				}
			}
			return s, true
		},
		write: quote,
	}
}

// choices reads one of a few words.
func choices(words ...string) reader[string] {
	listed := orList(words)
	return texts(listed, 64, func(s string) error {
		for _, w := range words {
			if s == w {
				return nil
			}
		}
		if near := nearest(s, words); near != "" {
			return advice{fmt.Sprintf("%s is none of %s", quote(s), listed), "did you mean " + quote(near) + "?"}
		}
		return advice{quote(s) + " is not known", "write " + listed}
	})
}

// orList is `"a", "b" or "c"`.
func orList(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(quote(w))
	}
	return b.String()
}

// checkZone accepts the names of the time zone database. "" and "Local" load, but mean another zone on every machine.
func checkZone(s string) error {
	const remedy = `write a name such as "Europe/Berlin" or "UTC"`
	if s == "Local" {
		return advice{quote(s) + " is another zone on every machine", remedy}
	}
	if _, err := time.LoadLocation(s); err != nil {
		return advice{quote(clip(s)) + " is no known time zone", remedy}
	}
	return nil
}

// listeners reads where something is served. A name would be looked up, and a port alone would mean every address of the machine.
func listeners() reader[string] {
	return texts("an IP address and a port", 64, func(s string) error {
		if _, err := netip.ParseAddrPort(s); err != nil {
			return advice{quote(clip(s)) + " is no IP address with a port", `write both, such as "127.0.0.1:9464" or "[::1]:9464"`}
		}
		return nil
	})
}

// checkPlugin accepts a slash-separated path that cannot leave the plugin folder.
func checkPlugin(s string) error {
	if !fs.ValidPath(s) || s == "." || strings.Contains(s, `\`) {
		return advice{quote(clip(s)) + " does not lie in the plugin folder", `write the file's name there, such as "report.wasm"`}
	}
	return nil
}

// checkPath accepts a folder; the shell's ~ would make a folder of that name.
func checkPath(s string) error {
	if strings.HasPrefix(s, "~") {
		return advice{quote(clip(s)) + " begins with ~, which only a shell understands", "write the path in full"}
	}
	return nil
}

// checkLine accepts text that shows as it is: without control characters, ends of lines and marks that turn the text around them.
func checkLine(s string) error {
	for _, r := range s {
		switch {
		case unicode.IsControl(r):
			return advice{fmt.Sprintf("holds the control character U+%04X", r), "write plain text on one line"}
		case unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			return advice{fmt.Sprintf("holds U+%04X, which changes how other text shows", r), "write plain text on one line"}
		}
	}
	return nil
}
