package jobtest

import (
	"os"
	"testing"
)

// Missing skips a test for want of what the text says how to install. Where WCRON_CI is 1 all of it must be there, and the test
// fails instead.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("WCRON_CI") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
