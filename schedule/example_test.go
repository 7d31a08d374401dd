package schedule_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/wcron/wcron/schedule"
)

func ExampleParse() {
	s, err := schedule.Parse("CRON_TZ=America/New_York 30 2 * * *", schedule.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// On 2026-03-08 New York skips 02:00 to 03:00.
	at := time.Date(2026, 3, 7, 0, 0, 0, 0, s.Location())
	for range 3 {
		at = s.Next(at)
		fmt.Println(at.Format(time.RFC3339))
	}
	// Output:
	// 2026-03-07T02:30:00-05:00
	// 2026-03-08T03:00:00-04:00
	// 2026-03-09T02:30:00-04:00
}

func ExampleParse_list() {
	s, err := schedule.Parse("0 9 * * MON-FRI; 0 12 * * SAT", schedule.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for range 3 {
		at = s.Next(at)
		fmt.Println(at.Format("Mon 15:04"))
	}
	// Output:
	// Fri 09:00
	// Sat 12:00
	// Mon 09:00
}

func ExampleSpec_Explain() {
	s, err := schedule.Parse("CRON_TZ=America/New_York 30 2 * * *", schedule.Options{DST: schedule.Skip})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 3, 7, 12, 0, 0, 0, s.Location())
	next := s.Next(at)
	fmt.Println(next.Format(time.RFC3339))
	for _, mark := range s.Explain(at, next) {
		fmt.Println(mark)
	}
	// Output:
	// 2026-03-09T02:30:00-04:00
	// 02:30 does not exist in America/New_York (the clock goes from 02:00 to 03:00): skipped, as dst = skip says
}

func ExampleParse_every() {
	anchor := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	s, err := schedule.Parse("@every 15m", schedule.Options{Anchor: anchor})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Next(anchor.Add(20 * time.Minute)).Format(time.TimeOnly))
	// Output: 12:30:00
}

func ExampleParse_hash() {
	for _, name := range []string{"backup", "report"} {
		s, err := schedule.Parse("H 3 * * *", schedule.Options{Name: name})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).Format(time.TimeOnly))
	}
	// Output:
	// backup 03:38:00
	// report 03:32:00
}

func ExampleError() {
	for _, text := range []string{"0 24 * * *", "5/15 * * * *", "0 0 30 2 *"} {
		_, err := schedule.Parse(text, schedule.Options{})
		var at *schedule.Error
		fmt.Println(errors.As(err, &at), err)
	}
	// Output:
	// true hour: 24 is not in 0-23
	// true minute: 5/15 is a step without a range; write 5-59/15
	// true no such date: day of month 30, month 2 and day of week * never come together
}

func ExampleCount() {
	s, err := schedule.Parse("@hourly", schedule.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stopped := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	n, last := schedule.Count(s, stopped, stopped.Add(24*time.Hour), 100)
	fmt.Println(n, "missed, the last at", last.Format(time.RFC3339))
	// Output: 24 missed, the last at 2026-06-02T12:00:00Z
}

func ExampleSpec_Warnings() {
	s, err := schedule.Parse("*/45 * * * *", schedule.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range s.Warnings() {
		fmt.Println(w)
	}
	// Output: minute: */45 is 0 and 45, and begins again each hour, so the last gap is 15 minutes and not 45; for even ones write @every 45m
}
