package meter

import "fmt"

// Error says where and why a module was refused.
type Error struct {
	Offset int64  // of the byte that is at fault, from the start of the module
	What   string // what is wrong and, where there is something to do about it, what
	Func   string // the function at fault, as `function 12` or, by its name, `function 12 "main.main"`; empty if it is not in one
}

// Error prints "offset 0x1f: what", with the function between if there is one.
func (e *Error) Error() string {
	if e.Func != "" {
		return fmt.Sprintf("offset %#x: %s: %s", e.Offset, e.Func, e.What)
	}
	return fmt.Sprintf("offset %#x: %s", e.Offset, e.What)
}

func errorAt(offset int, format string, args ...any) *Error {
	return &Error{Offset: int64(offset), What: fmt.Sprintf(format, args...)}
}
