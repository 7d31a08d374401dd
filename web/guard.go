package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// policy forbids a page everything but what the dashboard itself serves. No script and no style can stand in the page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded is in front of everything.
func guarded(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // a recorder in a test has no deadlines
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		defer func() {
			p := recover()
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the answer was begun and cannot be ended: the server closes the connection
			}
			if p != nil {
				plain(w, http.StatusInternalServerError, fmt.Sprintf("panic: %v", p))
			}
		}()
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "the dashboard only shows; to change something use the wcron command")
		case !known(hosts, r.Host):
			plain(w, http.StatusMisdirectedRequest, fmt.Sprintf("this dashboard is not known as %q: ask for it as localhost or by its loopback address, "+
				"or add the name to hosts in the table [dashboard] of the host file and start wcron serve again", clipTo(r.Host, 253)))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// known tells whether a Host header names this machine's loopback, or one of hosts. A name that somebody else may point to
// any address is neither.
func known(hosts []string, header string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if name == "localhost" || slices.Contains(hosts, name) {
		return true
	}
	at, err := netip.ParseAddr(name)
	return err == nil && at.IsLoopback()
}

// plain answers with a sentence.
func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(harmless([]byte(text)), '\n')) // the browser is gone
}
