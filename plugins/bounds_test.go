package plugins

import (
	"testing"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
)

func TestBoundsAreReadInTheJobsZone(t *testing.T) {
	w := newWorld(t, `[jobs.a]
schedule = "@hourly"
timezone = "Europe/Berlin"
not_before = 2026-12-24T18:00:00
not_after = "2027-01-06T00:00:00+03:00"
[jobs.back]
plugin = "a.wasm"
schedule = "@hourly"
not_before = 2027-01-01
not_after = 2026-01-01
`)
	w.write("plugins/a.wasm", guest.Greet("x"))
	set, problems, err := Check(w.config())
	w.must(err)
	a := w.job(set, "a")
	if want := time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC); !a.NotBefore.Equal(want) || a.NotBefore.Location() != time.UTC {
		t.Errorf("not_before %s, want %s", a.NotBefore, want)
	}
	if want := time.Date(2027, 1, 5, 21, 0, 0, 0, time.UTC); !a.NotAfter.Equal(want) || a.State != Active {
		t.Errorf("not_after %s, want %s; %s %s", a.NotAfter, want, a.State, a.Reason)
	}
	if back := w.job(set, "back"); back.State != Broken || !contains(back.Reason, "not_after 2026-01-01T00:00:00 lies before not_before 2027-01-01T00:00:00") {
		t.Errorf("%s: %s", back.State, back.Reason)
	}
	if len(problems) != 1 || problems[0].Line != 10 {
		t.Errorf("%+v", problems)
	}
}

func TestMomentAtChangesOfTheClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-03-29T02:30:00":       "2026-03-29T01:00:00Z", // skipped: right after it
		"2026-10-25T02:30:00":       "2026-10-25T00:30:00Z", // twice: the first
		"2026-10-25T02:30:00+01:00": "2026-10-25T01:30:00Z",
		"2026-07-01":                "2026-06-30T22:00:00Z",
	} {
		var m config.Moment
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := MomentIn(&m, berlin).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if !MomentIn(nil, berlin).IsZero() {
		t.Error("no moment is some")
	}
}
