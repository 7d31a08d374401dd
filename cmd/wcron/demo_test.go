package main

import (
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// TestProof: the proof holds only if each second has its run and the wedged job was stuck meanwhile.
func TestProof(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	var due []time.Time
	for i := 1; i <= 5; i++ {
		due = append(due, at(float64(i)))
	}
	whole := func() (slots []claims.SlotRow, wedged []claims.Run) {
		for _, d := range due {
			slots = append(slots, claims.SlotRow{Slot: claims.ScheduledSlot("greeter", d), Verdict: claims.Verdict(claims.OK), Count: 1})
		}
		return slots, []claims.Run{{StartedAt: at(0.5), EndedAt: at(3.5), Outcome: claims.Timeout}, {StartedAt: at(5), EndedAt: at(8), Outcome: claims.Timeout}}
	}
	tests := []struct {
		name   string
		change func(slots []claims.SlotRow, wedged []claims.Run) ([]claims.SlotRow, []claims.Run)
		due    []time.Time
		find   []claims.Finding
		want   string
	}{
		{name: "whole", want: "proof: greeter ran in each of 5 seconds while wedged was stuck for 4 of them; audit clean"},
		{name: "missed", want: "ran in 4 of 5 seconds", change: func(s []claims.SlotRow, w []claims.Run) ([]claims.SlotRow, []claims.Run) {
			s[2].Verdict = claims.Missed
			return s, w
		}},
		{name: "gone", want: "nothing is on record for 2026-03-01T12:00:05Z", change: func(s []claims.SlotRow, w []claims.Run) ([]claims.SlotRow, []claims.Run) {
			return s[:4], w
		}},
		{name: "folded", want: "ran in 4 of 5", change: func(s []claims.SlotRow, w []claims.Run) ([]claims.SlotRow, []claims.Run) {
			s[0].Count = 2
			return s, w
		}},
		{name: "never stuck", want: "wedged was never stuck", change: func(s []claims.SlotRow, _ []claims.Run) ([]claims.SlotRow, []claims.Run) {
			return s, nil
		}},
		{name: "not killed", want: "ended as ok, not at its deadline", change: func(s []claims.SlotRow, w []claims.Run) ([]claims.SlotRow, []claims.Run) {
			w[1].Outcome = claims.OK
			return s, w
		}},
		{name: "nothing due", want: "no slot of greeter was due", due: []time.Time{}},
		{name: "audit", want: "the audit found 1 fault: a slot is open", find: []claims.Finding{{Code: "slot-open", What: "a slot is open"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			slots, wedged := whole()
			if test.change != nil {
				slots, wedged = test.change(slots, wedged)
			}
			if test.due == nil {
				test.due = due
			}
			p := proof{Findings: test.find}
			p.conclude(p.count(test.due, slots, wedged), wedged)
			if p.Holds != (test.name == "whole") || !strings.Contains(p.String(), test.want) {
				t.Errorf("holds %v: %s", p.Holds, p)
			}
		})
	}
}
