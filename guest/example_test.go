package guest_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/wcron/wcron/guest"
)

// A job reads its event from os.Stdin; its input is what its manifest, the operator or a request says.
func ExampleReadEvent() {
	stdin := strings.NewReader(`{"job":"report","attempt":1,"scheduled_at":"2026-11-23T02:15:00Z","input":{"mode":"full"}}`)
	event, err := guest.ReadEvent(stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	input := struct {
		Mode string `json:"mode"`
		Top  int    `json:"top"`
	}{Top: 10}
	if err := event.Decode(&input); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(guest.ExitDisable)
	}
	fmt.Println(event.Job, event.ScheduledAt.Format("15:04"), input.Mode, input.Top)
	// Output: report 02:15 full 10
}

// What a run writes is there in the next one, if this one ends with exit code 0.
func ExampleState() {
	var state guest.State
	cursor := struct{ Page, Seen int }{Page: 1}
	found, err := state.Load("cursor", &cursor)
	fmt.Println(found, cursor.Page, err)

	cursor.Page++
	fmt.Println(state.Save("cursor", cursor))

	keys, err := state.List("cur")
	fmt.Println(keys, err)
	// Output:
	// false 1 <nil>
	// <nil>
	// [cursor] <nil>
}

// A lease that only one run may hold: it is set if it is not there.
func ExampleState_CompareAndSet() {
	var state guest.State
	swapped, _, err := state.CompareAndSet("lease", nil, []byte("run 1"))
	fmt.Println(swapped, err)
	swapped, now, err := state.CompareAndSet("lease", nil, []byte("run 2"))
	fmt.Printf("%v %s %v\n", swapped, now, err)
	// Output:
	// true <nil>
	// false run 1 <nil>
}

func ExampleProgress() {
	files := []string{"a", "b"}
	for i, name := range files {
		if err := guest.Progress(100*float64(i)/float64(len(files)), name); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(guest.Progress(100, "done"))
	// Output: <nil>
}

// The job notify starts once this run has ended with exit code 0. Without a grant there is an error that says so.
func ExampleEmit() {
	fmt.Println(guest.Emit("notify", map[string]string{"text": "the disk is full"}))

	err := guest.Emit("payroll", nil)
	fmt.Println(guest.Code(err) == guest.NotGranted)
	// Output:
	// <nil>
	// true
}
