// Command pagewatch is a plugin over Extism's kit for Go, as it comes from the module proxy: it tells whether a page has changed
// since the last run. It knows nothing of wcron: what the kit calls a variable is the job's state here.
package main

import (
	"crypto/sha256"
	"fmt"
	"html"
	"strings"
)

// page is what is known of a page.
type page struct {
	title, digest string
	size          int
}

// read takes a page in. Blanks count for nothing.
func read(body []byte) page {
	text := strings.Join(strings.Fields(string(body)), " ")
	p := page{title: "untitled", digest: fmt.Sprintf("%x", sha256.Sum256([]byte(text))), size: len(body)}
	if _, rest, ok := strings.Cut(text, "<title>"); ok {
		if title, _, ok := strings.Cut(rest, "</title>"); ok {
			p.title = html.UnescapeString(strings.TrimSpace(title))
		}
	}
	return p
}

// compare says what is new about a page, by the digest that it had.
func compare(before []byte, p page) string {
	switch string(before) {
	case "":
		return "first seen: " + p.title
	case p.digest:
		return "unchanged: " + p.title
	}
	return "changed: " + p.title
}
