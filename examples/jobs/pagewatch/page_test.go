package main

import "testing"

func TestCompare(t *testing.T) {
	old := read([]byte("<title> A &amp; B </title>\n<p>one</p>"))
	for _, c := range []struct{ before, body, want string }{
		{"", "<title>A &amp; B</title>", "first seen: A & B"},
		{old.digest, "<title>  A &amp; B </title> <p>one</p>\n", "unchanged: A & B"},
		{old.digest, "<title>A</title><p>two</p>", "changed: A"},
		{old.digest, "<title>A", "changed: untitled"},
	} {
		if got := compare([]byte(c.before), read([]byte(c.body))); got != c.want {
			t.Errorf("%q: %q, want %q", c.body, got, c.want)
		}
	}
}
