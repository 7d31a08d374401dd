//go:build wasip1

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/extism/go-pdk"
)

const (
	failed   = 1
	tryAgain = 75
)

func main() {}

//go:wasmexport run
func run() int32 {
	code, err := watch()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pagewatch:", err)
		pdk.SetError(err)
	}
	return code
}

func watch() (int32, error) {
	url, ok := pdk.GetConfig("url")
	if !ok {
		return failed, errors.New("the config has no url")
	}
	resp := pdk.NewHTTPRequest(pdk.MethodGet, url).SetHeader("Accept", "text/html").Send()
	switch status := resp.Status(); {
	case status == 0: // no response: the body says why
		return failed, fmt.Errorf("%s: %s", url, resp.Body())
	case status != 200:
		return tryAgain, fmt.Errorf("%s: status %d", url, status)
	}
	page := read(resp.Body())
	pdk.Log(pdk.LogInfo, fmt.Sprintf("%q has %d bytes", page.title, page.size))
	pdk.OutputString(compare(pdk.GetVar("digest"), page) + "\n")
	pdk.SetVar("digest", []byte(page.digest))
	return 0, nil
}
