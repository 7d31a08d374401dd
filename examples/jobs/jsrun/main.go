// Command jsrun is a job: it runs scripts in JavaScript from a folder, with the engine goja. A script is told its event, and has the
// job's state.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/wcron/wcron/guest"
)

// input is what the job wants of the event.
type input struct {
	Folder string         `json:"folder"` // default /scripts
	Script string         `json:"script"` // the file in it
	Data   map[string]any `json:"data"`   // for the script
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		guest.Reason(err.Error())
		fmt.Fprintln(os.Stderr, "jsrun:", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	event, err := guest.ReadEvent(stdin)
	if err != nil {
		return err
	}
	in := input{Folder: "/scripts"}
	if err := event.Decode(&in); err != nil {
		return err
	}
	if in.Script == "" {
		return errors.New("want an input with script, the name of a file")
	}
	text, err := fs.ReadFile(os.DirFS(in.Folder), in.Script)
	if err != nil {
		return fmt.Errorf("%w; is %s granted to the job, and the script in it?", err, in.Folder)
	}
	return execute(script{name: in.Script, text: string(text), job: event.Job, slot: event.Slot, data: in.Data}, guest.State{}, stdout)
}
