//go:build wasip1

package main

import (
	"io"
	"net/http"

	"github.com/wcron/wcron/guest/guesthttp"
)

// get asks for a page. RoundTrip is enough: the host follows redirects, and has a limit of time.
func get(url string) (status int, body string, err error) {
	r, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	resp, err := guesthttp.Transport{}.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
