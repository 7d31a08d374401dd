//go:build wasip1

// Command uptime is a job: it asks servers whether they are well, remembers the answers, and starts another job when one of them goes
// down or comes back.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/wcron/wcron/guest"
)

// input is what the job wants of the event.
type input struct {
	Checks []check `json:"checks"`
	Notify string  `json:"notify"` // the job that is told of changes; empty: none
	After  int     `json:"after"`  // so many failures in a row are an outage; default 2
}

// check is a server to ask.
type check struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Status   int    `json:"status"`   // that a good answer has; default 200
	Contains string `json:"contains"` // what its body has in it; empty: anything
}

// memory is what the job knows of a server from one run to the next.
type memory struct {
	Failures int       `json:"failures"` // in a row
	Down     bool      `json:"down"`     // and somebody was told
	Since    time.Time `json:"since"`    // the first of the failures
}

// change is what the job in notify gets as its input.
type change struct {
	Name  string    `json:"name"`
	Down  bool      `json:"down"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

func main() {
	if err := run(); err != nil {
		guest.Reason(err.Error())
		fmt.Fprintln(os.Stderr, "uptime:", err)
		os.Exit(1)
	}
}

// run asks each server. That one is down is no failure of the job: its state and what it emits are kept with a run that is ok alone.
func run() error {
	event, err := guest.ReadEvent(os.Stdin)
	if err != nil {
		return err
	}
	in := input{After: 2}
	if err := event.Decode(&in); err != nil {
		return err
	}
	if len(in.Checks) == 0 || in.After < 1 {
		return errors.New("want an input with checks, each a table with name and url")
	}
	for i, c := range in.Checks {
		if c.Name == "" || c.URL == "" {
			return fmt.Errorf("check %d: it needs a name and a url", i+1)
		}
		if err := guest.Progress(100*float64(i)/float64(len(in.Checks)), c.Name); err != nil {
			return err
		}
		if err := c.run(in, event.StartedAt); err != nil {
			return fmt.Errorf("check %q: %w", c.Name, err)
		}
	}
	return nil
}

// run makes one check, and tells of a change.
func (c check) run(in input, now time.Time) error {
	var state guest.State
	var m memory
	key := "server/" + c.Name
	if _, err := state.Load(key, &m); err != nil {
		return err
	}
	why := c.ask()
	if why == "" {
		fmt.Printf("up    %s\n", c.Name)
	} else {
		fmt.Printf("DOWN  %s: %s\n", c.Name, why)
	}
	was := m.Down
	m = m.next(why == "", in.After, now)
	if m.Down != was && in.Notify != "" {
		told := change{Name: c.Name, Down: m.Down, Text: c.Name + " is up again", Since: now}
		if m.Down {
			told.Text, told.Since = c.Name+" is down: "+why, m.Since
		}
		if err := guest.Emit(in.Notify, told); err != nil {
			return err
		}
		fmt.Printf("      %s is told\n", in.Notify)
	}
	return state.Save(key, m)
}

// next is what is known after one more answer.
func (m memory) next(up bool, after int, now time.Time) memory {
	if up {
		return memory{}
	}
	if m.Failures == 0 {
		m.Since = now
	}
	m.Failures++
	m.Down = m.Down || m.Failures >= after
	return m
}

// ask is why a server is not well; empty: it is.
func (c check) ask() string {
	want := c.Status
	if want == 0 {
		want = http.StatusOK
	}
	status, body, err := get(c.URL)
	switch {
	case err != nil:
		return err.Error()
	case status != want:
		return fmt.Sprintf("status %d, want %d", status, want)
	case !strings.Contains(body, c.Contains):
		return fmt.Sprintf("its answer has no %q in it", c.Contains)
	}
	return ""
}
