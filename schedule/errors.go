package schedule

import (
	"fmt"
	"strconv"
)

// Error says why a text is not a schedule. Every error of Parse is an *Error.
type Error struct {
	Text   string // the text as given, shortened to 80 bytes
	Field  string // the part at fault, such as "hour" or "@every"; empty: the text as a whole
	Value  string // the value at fault; empty: none in particular
	Reason string // what is wrong with it and, where there is one, the remedy
	Part   int    // which schedule of a list is at fault, from 1; 0: there is but one, or it is the list
}

// Error returns a message such as "hour: 24 is not in 0-23".
func (e *Error) Error() string {
	msg := e.Reason
	if e.Value != "" {
		msg = readable(shorten(e.Value, 40)) + " " + msg
	}
	if e.Field != "" {
		msg = e.Field + ": " + msg
	}
	if e.Part > 0 {
		msg = fmt.Sprintf("schedule %d of the list: %s", e.Part, msg)
	}
	return msg
}

func fault(field, value, format string, args ...any) *Error {
	return &Error{Field: field, Value: value, Reason: fmt.Sprintf(format, args...)}
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}

// readable quotes a value that would not read well inside a sentence.
func readable(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' {
			return strconv.Quote(s)
		}
	}
	return s
}
