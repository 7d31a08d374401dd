//go:build wasip1

// Command newitems is a job: it prints the items of its input that no earlier run of it has seen, and remembers them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// remembered is how many items the job knows at most; the oldest are forgotten first.
const remembered = 1000

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "newitems:", err)
		os.Exit(1)
	}
}

func run() error {
	var event struct {
		Input struct {
			Items []string `json:"items"`
		} `json:"input"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&event); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	var seen []string
	text, found, err := get("seen")
	if err == nil && found {
		err = json.Unmarshal(text, &seen)
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, item := range seen {
		known[item] = true
	}
	for _, item := range event.Input.Items {
		if known[item] {
			continue
		}
		fmt.Println("new:", item)
		known[item] = true
		seen = append(seen, item)
	}
	if text, err = json.Marshal(seen[max(0, len(seen)-remembered):]); err != nil {
		return err
	}
	if err := set("seen", text); err != nil {
		return err
	}
	for _, item := range event.Input.Items {
		if item == "" {
			return fmt.Errorf("an item is empty: this run does not count, and the next one reports its items again")
		}
	}
	return nil
}
