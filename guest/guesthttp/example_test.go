package guesthttp_test

import (
	"fmt"
	"io"
	"net/http"

	"github.com/wcron/wcron/guest"
	"github.com/wcron/wcron/guest/guesthttp"
)

// A job asks a server that its operator has granted. The address is in the job's config.
func ExampleTransport() {
	url, _ := guest.Config("url")
	client := http.Client{Transport: guesthttp.Transport{}}
	resp, err := client.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), err)

	// Where nothing is granted, nothing is sent.
	if other, err := client.Get("https://elsewhere.example/"); err == nil {
		other.Body.Close()
	} else {
		fmt.Println(guest.Code(err) == guest.NotGranted)
	}
	// Output:
	// 200 all is well <nil>
	// true
}
