package meter

// Version counts the changes of what Meter makes of the same bytes: what is kept of it is kept by version.
const Version = 3

// What a metered module shares with its host. A module that names them itself is refused.
const (
	// ImportModule and ImportName name the function that a metered module imports. It takes the fuel that is left,
	// which is below zero if the slice is spent, and the stack that is left, which is below zero if it has overflowed,
	// both as i64, and returns the fuel of the next slice, which must be above zero. Or it ends the guest.
	ImportModule = "wcron"
	ImportName   = "slice"

	// FuelExport names the exported global that holds the fuel left, as i64. It begins at zero, so that the first
	// thing that a guest does is to ask for a slice. Whatever stands in it when the guest is gone was not spent; below
	// zero, it was spent beyond the slice.
	FuelExport = "wcron.fuel"

	// HelperPrefix begins the names of the functions that metering adds, as they show in stack traces.
	HelperPrefix = "wcron."
)

// DefaultStack is the stack of a guest for which none is named: 8 MiB.
const DefaultStack int64 = 8 << 20

// Options says how a module is metered. The zero value is ready for use.
type Options struct {
	Limits Limits

	// Stack bounds the nesting of calls, in bytes: each frame weighs 64 bytes, and 8 for each parameter, local and
	// operand (16 in a function that uses vectors). 0 stands for DefaultStack.
	Stack int64
}
