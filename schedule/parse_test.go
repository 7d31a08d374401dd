package schedule_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

var present = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// TestBadTexts holds each refused text with a part of its message.
func TestBadTexts(t *testing.T) {
	for _, row := range [][2]string{
		{"", "is empty"},
		{"   ", "is empty"},
		{"CRON_TZ=UTC", "is empty"},
		{"*", "1 fields; write 5"},
		{"* * * *", "4 fields"},
		{"* * * * * * * *", "8 fields"},
		{"60 * * * *", "minute: 60 is not in 0-59"},
		{"0 24 * * *", "hour: 24 is not in 0-23"},
		{"0 0 0 * *", "day of month: 0 is not in 1-31"},
		{"0 0 32 * *", "day of month: 32 is not in 1-31"},
		{"0 0 * 0 *", "month: 0 is not in 1-12 or JAN-DEC"},
		{"0 0 * 13 *", "month: 13 is not in 1-12"},
		{"0 0 * * 8", "day of week: 8 is not in 0-7 or SUN-SAT"},
		{"60 0 0 * * *", "second: 60 is not in 0-59"},
		{"0 0 0 * * * 1969", "year: 1969 is not in 1970-2099"},
		{"0 0 0 * * * 2100", "year: 2100 is not in 1970-2099"},
		{"0 0 1 1 * 2028", "day of week: 2028 is not in 0-7; six fields begin with seconds"},
		{"17,99 * * * *", "minute: 99 is not in 0-59"},
		{"*,99 * * * *", "minute: 99"},
		{"*,garbage * * * *", "minute: GARBAGE is not in 0-59"},
		{"0-59,99 * * * *", "minute: 99"},
		{"-1 * * * *", "minute: -1 lacks a value"},
		{"5- * * * *", "minute: 5- lacks a value"},
		{"+5 * * * *", "minute: +5 is not in 0-59"},
		{"1.5 * * * *", "minute: 1.5 is not in 0-59"},
		{"0x5 * * * *", "minute: 0X5 is not in 0-59"},
		{"99999999999999999999 * * * *", "is not in 0-59"},
		{"1-2-3 * * * *", "minute: 2-3 is not in 0-59"},
		{"*5 * * * *", "minute: *5 is not in 0-59"},
		{"** * * * *", "minute: ** is not in 0-59"},
		{"*-5 * * * *", "minute: * is not in 0-59"},
		{", * * * *", "minute: a value is missing"},
		{"1, * * * *", "minute: a value is missing"},
		{"1,,2 * * * *", "minute: a value is missing"},
		{"5/15 * * * *", "minute: 5/15 is a step without a range; write 5-59/15"},
		{"0 2/4 * * *", "hour: 2/4 is a step without a range; write 2-23/4"},
		{"0 0 * * 1/2", "write 1-6/2"},
		{"*/0 * * * *", "minute: */0 has a step that is not in 1-59"},
		{"*/60 * * * *", "minute: */60 has a step that is not in 1-59"},
		{"0 */24 * * *", "hour: */24 has a step that is not in 1-23"},
		{"*/ * * * *", "has a step"},
		{"*/5/2 * * * *", "has a step"},
		{"*/-5 * * * *", "has a step"},
		{"/5 * * * *", "minute: /5 lacks a value"},
		{"1-5/70 * * * *", "has a step"},
		{"0 22-2 * * *", "hour: 22-2 runs backwards; write 22-23,0-2"},
		{"0 0 * NOV-FEB *", "month: NOV-FEB runs backwards; write 11-12,1-2"},
		{"0 0 * * FRI-MON", "day of week: FRI-MON runs backwards; write 5-6,0-1"},
		{"0 0 * * 7-2", "day of week: 7-2 runs backwards; write 0-2"},
		{"0 0 0 * * * 2030-2026", "write 2026-2030"},
		{"MON * * * *", "minute: MON is not in 0-59"},
		{"0 0 DEC * *", "day of month: DEC is not in 1-31"},
		{"0 0 * MON *", "month: MON is not in 1-12"},
		{"0 0 * * JAN", "day of week: JAN is not in 0-7"},
		{"0 0 * * MONDAY", "day of week: MONDAY is not"},
		{"0 0 * * UNM", "day of week: UNM is not"},
		{"? * * * *", "minute: ? is for the two day fields"},
		{"0 0 ?,1 * *", "day of month: ? is not in 1-31"},
		{"0 0 0W * *", "day of month: 0W is not in 1W-31W"},
		{"0 0 32W * *", "day of month: 32W is not in 1W-31W"},
		{"0 0 15WX * *", "day of month: 15WX is not one of L, LW, 1W-31W"},
		{"0 0 W * *", "is not one of L, LW"},
		{"0 0 L-3 * *", "is not one of L, LW"},
		{"0 0 1W-5W * *", "is not one of L, LW"},
		{"0 0 WL * *", "is not one of L, LW"},
		{"L * * * *", "minute: L is not in 0-59"},
		{"0 0 * L *", "month: L is not"},
		{"0 0 * * L", "day of week: L needs a day; write 6L"},
		{"0 0 * * 8L", "day of week: 8 is not in 0-7"},
		{"0 0 * * 5W", "day of week: 5W is not"},
		{"0 0 * * 5#6", "day of week: 5#6 does not end in #1 to #5"},
		{"0 0 * * 5#0", "does not end in #1 to #5"},
		{"0 0 * * 5#", "does not end in #1 to #5"},
		{"0 0 * * #1", "day of week: #1 lacks a value"},
		{"0 0 * * 8#1", "day of week: 8 is not in 0-7"},
		{"0 0 * * 1#2#3", "does not end in #1 to #5"},
		{"0 0 * * MON-FRI#1", "day of week: MON-FRI is not"},
		{"0 0 5#1 * *", "day of month: 5#1 is not in 1-31"},
		{"H(5-1) * * * *", "minute: H(5-1) runs backwards"},
		{"H(0-60) * * * *", "minute: 60 is not in 0-59"},
		{"H(5) * * * *", "is not H, H/n, H(a-b)"},
		{"H(0-29 * * * *", "is not H, H/n, H(a-b)"},
		{"H5 * * * *", "is not H, H/n, H(a-b)"},
		{"H(0-9)/11 * * * *", "has a step larger than its 10 values"},
		{"H/0 * * * *", "has a step"},
		{"0 0 0 * * * H", "year: H has no H"},
		{"0 0 30 2 *", "no such date"},
		{"0 0 31 2,4,6,9,11 *", "no such date"},
		{"0 0 30W 2 *", "no such date"},
		{"0 0 0 29 2 * 2027", "no such date"},
		{"0 0 0 29 2 * 2027", "in the years 2027"},
		{"0 0 31 * *\x00", "is not a character"},
		{"0 0 * * \u017fun", "is not a character"},
		{"0 0 *\n* *", "schedule 1 of the list: 3 fields"},
		{"0 9 * * *\n0 24 * * *", "schedule 2 of the list: hour: 24 is not in 0-23"},
		{"0 9 * * *;", "one schedule of the list is empty"},
		{"0 9 * * *;;@daily", "one schedule of the list is empty"},
		{"@every 1500ms; @daily", "schedule 1 of the list: @every: 1.5s is not in whole seconds"},
		{strings.Repeat("@daily;", 16) + "@hourly", "17 schedules are more than 16"},
		{"0 0 *\v* *", "is not a character"},
		{"DST=never 30 2 * * *", "dst: never is not one of once, skip, both"},
		{"DST= 30 2 * * *", "dst: is not one of once, skip, both"},
		{"DST=skip", "is empty"},
		{"@reboot now", "@reboot: now is too much"},
		{"@always", "@always is not a macro"},
		{"@5minutes", "is not a macro"},
		{"@", "is not a macro"},
		{"@daily 5", "@daily: 5 is too much"},
		{"@every", "@every: is not a length of time"},
		{"@every 90", "@every: 90 is not a length of time"},
		{"@every 0s", "is shorter than a second"},
		{"@every 999ms", "@every: 999ms is shorter than a second"},
		{"@every -5m", "is shorter than a second"},
		{"@every 1d", "is not a length of time"},
		{"@every 9999999h", "is not a length of time"},
		{"@in 0s", "is shorter than a second"},
		{"@in soon", "@in: soon is not a length of time"},
		{"@at", "is not a time such as"},
		{"@at noon", "@at: noon is not a time such as"},
		{"@at 2026-13-01T00:00:00", "is not a time such as"},
		{"@at 2027-02-29T00:00:00", "is not a time such as"},
		{"@at 2026-12-24 18:00:00", "is not a time such as"},
		{"@at 2026-12-24T18:00:00.5", "in whole seconds"},
		{"@at 2026-12-24T18:00:00.5Z", "in whole seconds"},
		{"@at 2026-06-01T12:00:00", "is in the past: it is 2026-06-01T12:00:00Z"},
		{"@at 2026-06-01T12:00:00+02:00", "is in the past"},
		{"@at 1969-12-31T23:59:59", "outside the years 1970 to 9999"},
		{"@at 9999-12-31T23:59:59-05:00", "outside the years 1970 to 9999"},
		{"CRON_TZ= 0 9 * * *", "timezone: is not the name of a zone"},
		{"TZ=Local 0 9 * * *", "timezone: Local is not the name of a zone"},
		{"TZ=localtime 0 9 * * *", "is not the name of a zone"},
		{"TZ=right/Europe/Berlin 0 9 * * *", "is not the name of a zone"},
		{"TZ=../Europe/Berlin 0 9 * * *", "is not the name of a zone"},
		{"TZ=/etc/localtime 0 9 * * *", "is not a known zone"},
		{"TZ=Mars/Olympus 0 9 * * *", "timezone: Mars/Olympus is not a known zone"},
		{"CRON_TZ=UTC TZ=UTC 0 9 * * *", "6 fields"},
		{strings.Repeat("1,", 300) + "1 * * * *", "is longer than 512 bytes"},
	} {
		s, err := schedule.Parse(row[0], schedule.Options{Now: present})
		var at *schedule.Error
		switch {
		case err == nil:
			t.Errorf("Parse(%q) = %q, want an error with %q", row[0], s, row[1])
		case !errors.As(err, &at):
			t.Errorf("Parse(%q): %T is not an *Error", row[0], err)
		case row[1] == "6 fields": // two zones: the second is read as a field
			if at.Field != "second" {
				t.Errorf("Parse(%q): %v", row[0], err)
			}
		case !strings.Contains(err.Error(), row[1]):
			t.Errorf("Parse(%q): %v, want %q", row[0], err, row[1])
		}
	}
}

func TestErrorFields(t *testing.T) {
	_, err := schedule.Parse("0 24 * * *", schedule.Options{})
	want := schedule.Error{Text: "0 24 * * *", Field: "hour", Value: "24", Reason: "is not in 0-23"}
	if at := new(schedule.Error); !errors.As(err, &at) || *at != want {
		t.Errorf("got %#v, want %#v", err, want)
	}
}

// TestCanonical holds texts with their canonical form, which must be its own.
func TestCanonical(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, row := range []struct {
		text, want string
		loc        *time.Location
	}{
		{"  0   9 * *\tmon-FRI\n", "0 9 * * 1-5", nil},
		{"00,30,00 09 * * 7", "0,30 9 * * 7", nil},
		{"0 9 ? JAN,1 FRI-SUN", "0 9 * 1 5-7", nil},
		{"30,0 9 * * *", "30,0 9 * * *", nil},
		{"*,5,* * * * *", "*,5 * * * *", nil},
		{"0 0 lw,15w * sunl,7#1", "0 0 LW,15W * 0L,0#1", nil},
		{"h h(00-05)/02 h * h(fri-sun)", "H H(0-5)/2 H * H(5-7)", nil},
		{"0 0 0 1 1 * */2", "0 0 0 1 1 * */2", nil},
		{"@Daily", "@daily", nil},
		{"@midnight", "@midnight", nil},
		{"@every  90s", "@every 1m30s", nil},
		{"@every 120m", "@every 2h", nil},
		{"@every 1h0m5s", "@every 1h0m5s", nil},
		{"@in 20m", "@in 20m", nil},
		{"@at 2026-12-24T18:00:00", "@at 2026-12-24T18:00:00", nil},
		{"@at 2026-12-24T18:00:00+00:00", "@at 2026-12-24T18:00:00Z", nil},
		{"0 9 * * *", "CRON_TZ=Europe/Berlin 0 9 * * *", berlin},
		{"TZ=UTC 0 9 * * *", "CRON_TZ=UTC 0 9 * * *", berlin},
		{"TZ=UTC 0 9 * * *", "CRON_TZ=UTC 0 9 * * *", nil},
		{"CRON_TZ=Asia/Tokyo @daily", "CRON_TZ=Asia/Tokyo @daily", berlin},
		{"@at 2026-12-24T18:00:00", "CRON_TZ=Europe/Berlin @at 2026-12-24T18:00:00", berlin},
		{"@at 2026-12-24T18:00:00+01:00", "@at 2026-12-24T18:00:00+01:00", berlin},
		{"TZ=Asia/Tokyo @every 2h", "@every 2h", berlin},
		{"@REBOOT", "@reboot", berlin},
		{"@reboot\n 0  9 * * *\r\nTZ=Asia/Tokyo @daily", "@reboot\n0 9 * * *\nCRON_TZ=Asia/Tokyo @daily", nil},
		{"0 9 * * *; @every 90s;CRON_TZ=UTC @daily", "CRON_TZ=Europe/Berlin 0 9 * * *\n@every 1m30s\nCRON_TZ=UTC @daily", berlin},
		{"0 9 * * *; 00 09 * * *", "0 9 * * *", nil},
		{"DST=Skip 30 2 * * *", "DST=skip 30 2 * * *", nil},
		{"DST=both TZ=Asia/Tokyo 30 2 * * *", "CRON_TZ=Asia/Tokyo DST=both 30 2 * * *", nil},
		{"TZ=Asia/Tokyo DST=once 30 2 * * *", "CRON_TZ=Asia/Tokyo DST=once 30 2 * * *", nil},
		{"DST=both */30 2 * * *", "*/30 2 * * *", nil},
		{"DST=both @every 2h", "@every 2h", nil},
	} {
		opt := schedule.Options{Location: row.loc, Now: present}
		s := mustParse(t, row.text, opt)
		if s.String() != row.want {
			t.Errorf("Parse(%q) = %q, want %q", row.text, s, row.want)
		}
		if again := mustParse(t, s.String(), opt); again.String() != s.String() {
			t.Errorf("Parse(%q) = %q", s, again)
		}
	}
}

func TestZone(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	if got := mustParse(t, "0 9 * * *", schedule.Options{}).Location(); got != time.UTC {
		t.Errorf("no zone at all: %s, want UTC", got)
	}
	if got := mustParse(t, "TZ=Asia/Tokyo 0 9 * * *", schedule.Options{Location: berlin}).Location(); got.String() != "Asia/Tokyo" {
		t.Errorf("a default and a zone in the text: %s, want Asia/Tokyo", got)
	}
	set := schedule.Options{Location: berlin, LocationSet: true}
	if got := mustParse(t, "TZ=Europe/Berlin 0 9 * * *", set).Location(); got.String() != "Europe/Berlin" {
		t.Errorf("the same zone twice: %s, want Europe/Berlin", got)
	}
	for _, text := range []string{"TZ=Asia/Tokyo 0 9 * * *", "CRON_TZ=UTC @every 5m"} {
		_, err := schedule.Parse(text, set)
		if err == nil || !strings.Contains(err.Error(), "differs from the timezone Europe/Berlin") {
			t.Errorf("Parse(%q) beside Europe/Berlin: %v", text, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"*/15 * * * *":            "",
		"0 9 * * 1-5":             "",
		"0 9 * * MON#1,FRIL":      "",
		"@daily":                  "",
		"0 0 0 1 1 * 2030":        "",
		"0 9 * * *; @every 90s":   "",
		"0 9 13 * FRI":            "a day that matches one of them is enough",
		"*/45 * * * *":            "minute: */45 is 0 and 45, and begins again each hour, so the last gap is 15 minutes and not 45; for even ones write @every 45m",
		"0 */5 * * *":             "hour: */5 is 0, 5 ... 20, and begins again each day, so the last gap is 4 hours and not 5",
		"0 0 1 */5 *":             "month: */5 is 1, 6 and 11, and begins again each year, so the last gap is 2 months and not 5",
		"H/45 * * * *":            "begins again each hour, so the last gap is 15 minutes and not 45",
		"*/59 * * * *":            "minute: */59 is 0 and 59, and begins again each hour, so the last gap is 1 minute and not 59",
		"0 0 * * */2":             "day of week: */2 is SUN,TUE,THU,SAT, and begins again each Sunday",
		"* * * * */2":             "day of week: */2 is SUN,TUE,THU,SAT, and begins again each Sunday",
		"0 0 * * 1-6/2":           "day of week: 1-6/2 is MON,WED,FRI, and begins again",
		"0 0 */2 * *":             "day of month: */2 is 1, 3 ... 31, and begins again on the 1st of each month",
		"30 0 9 * * *":            "6 fields: the first, 30, is the second here and 0 the minute; tools that read a year last",
		"0 0 0 * * 2 2030":        "day of week 2: 1 is Monday here, as in cron(8), and Sunday in Quartz",
		"0 0 * * 5L":              "day of week 5L: 1 is Monday here",
		"0 0 * * 2#1":             "day of week 2#1: 1 is Monday here",
		"0 0 *,1 * 1":             "a day must match both",
		"TZ=UTC */7 * * * *":      "minute: */7 is 0, 7 ... 56",
		"0-50/25,*/7 * * * *":     "minute: */7 is 0, 7 ... 56",
		"@reboot":                 "one run each time that a host starts",
		"0 9 * * *; 0 9 * * *":    "the schedule 0 9 * * * is listed twice",
		"@hourly; */45 * * * *":   "minute: */45",
		"H/45 * * * *; @midnight": "begins again each hour",
	} {
		s := mustParse(t, text, schedule.Options{})
		got := s.Warnings()
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
			t.Errorf("%q: warnings %q, want %q", text, got, want)
		}
		if len(got) > 0 {
			got[0] = "changed"
			if s.Warnings()[0] == "changed" {
				t.Error("the slice belongs to the spec")
			}
		}
	}
}

func TestKind(t *testing.T) {
	for text, want := range map[string]schedule.Kind{
		"@reboot": schedule.Reboot, "@reboot; @daily": schedule.List, "0 9 * * *": schedule.Cron, "@daily": schedule.Cron, "@every 90s": schedule.Every, "@in 5m": schedule.At, "@at 2030-01-01T00:00:00": schedule.At,
	} {
		s := mustParse(t, text, schedule.Options{Now: present})
		period, ok := s.Period()
		if s.Kind() != want || ok != (want == schedule.Every) || ok && period != 90*time.Second {
			t.Errorf("%q: kind %s, period %s %v", text, s.Kind(), period, ok)
		}
	}
}

// TestHashSpreads checks that names that differ in one letter spread over the hour.
func TestHashSpreads(t *testing.T) {
	const jobs = 3000
	var perMinute [60]int
	for i := range jobs {
		s := mustParse(t, "H * * * *", schedule.Options{Name: fmt.Sprintf("job%d", i)})
		perMinute[s.Next(present).Minute()]++
	}
	chi := 0.0
	for _, n := range perMinute {
		d := float64(n) - jobs/60
		chi += d * d / (jobs / 60)
	}
	if limit := 59 + 5*math.Sqrt(2*59); chi > limit { // five deviations; the names are fixed, so this cannot flicker
		t.Errorf("chi-squared %.0f > %.0f: %v", chi, limit, perMinute)
	}
}
