package metrics

import (
	"slices"
	"strings"
)

// other is the value of a label for what is not on its list.
const other = "other"

var (
	outcomes = []string{"ok", "failed", "timeout", "trapped", "killed", "orphaned", "discarded"}
	causes   = []string{"", "exit", "host_fault", "state_conflict", "deadline", "trap", "out_of_memory", "fuel", "cancelled", "replaced", "shutdown", "memory_budget"}

	policies = []string{"missed", "missed_limit", "missed_window", "starting_deadline", "pause", "pause_after", "overlap", "broken", "skip", "schedule",
		"retries", "catch_up", "jitter"}
	operations = []string{"claim due jobs", "lock jobs", "register jobs", "remove jobs", "poll the ledger", "recover orphans", "renew the lease", "prune the history"}
)

// known is a word of a list, or other.
func known(list []string, word string) string {
	if slices.Contains(list, word) {
		return word
	}
	return other
}

// reasons are the classes of why a slot did not run, by what its reason says. The first that fits counts.
var reasons = []struct{ part, class string }{
	{"pause_after = ", "pause_after"},
	{"paused", "paused"},
	{"missed_limit = ", "missed_limit"},
	{"missed_window = ", "missed_window"},
	{"starting_deadline = ", "starting_deadline"},
	{"skipped on demand", "skip"},
	{"queue_limit = ", "overlap"},
	{"max_concurrent allows", "overlap"},
	{"took its place", "overlap"},
	{"were made up for", "overlap"},
	{"still running", "overlap"},
	{"slots waited already", "overlap"},
	{"took its place", "overlap"},
	{"earlier process may still act", "locked"},
	{"no host was running", "no_host"},
	{"the host was asleep", "late"},
	{"schedule changed", "schedule_changed"},
	{"was removed", "removed"},
	{"disabled: ", "disabled"},
}

// reason is the class of a reason, which may be any text.
func reason(text string) string {
	for _, r := range reasons {
		if strings.Contains(text, r.part) {
			return r.class
		}
	}
	return other
}

// operation is the label of what failed.
func operation(text string) string {
	if strings.Contains(text, "commit") {
		return "commit"
	}
	return strings.ReplaceAll(known(operations, text), " ", "_")
}
