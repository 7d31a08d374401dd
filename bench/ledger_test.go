package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sec(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

// at makes a run of job "a" by the owner "x".
func at(id string, started, ended time.Time, outcome claims.Outcome) claims.Run {
	return claims.Run{Token: claims.Token{Job: "a", RunID: id}, Owner: "x", ClaimedAt: started, StartedAt: started, EndedAt: ended, Outcome: outcome}
}

func TestOverlaps(t *testing.T) {
	unstarted := at("never", time.Time{}, sec(9), claims.Failed)
	orphan := at("orphan", time.Time{}, sec(9), claims.Orphaned)
	orphan.ClaimedAt = sec(1)
	for name, c := range map[string]struct {
		runs []claims.Run
		died map[string]time.Time
		want int
	}{
		"one after the other":     {runs: []claims.Run{at("1", sec(0), sec(1), claims.OK), at("2", sec(1), sec(2), claims.OK)}},
		"across":                  {runs: []claims.Run{at("1", sec(0), sec(1.1), claims.OK), at("2", sec(1), sec(2), claims.OK)}, want: 1},
		"within a long one":       {runs: []claims.Run{at("1", sec(0), sec(9), claims.OK), at("2", sec(1), sec(2), claims.OK), at("3", sec(3), sec(4), claims.OK)}, want: 2},
		"still running":           {runs: []claims.Run{at("1", sec(0), time.Time{}, claims.Running), at("2", sec(1), sec(2), claims.OK)}, want: 1},
		"a guest that never was":  {runs: []claims.Run{unstarted, at("2", sec(1), sec(2), claims.OK)}},
		"an orphan, until closed": {runs: []claims.Run{orphan, at("2", sec(3), sec(4), claims.OK)}, want: 1},
		"an orphan, until dead":   {runs: []claims.Run{orphan, at("2", sec(3), sec(4), claims.OK)}, died: map[string]time.Time{"x": sec(3)}},
		"beside an orphan":        {runs: []claims.Run{orphan, at("2", sec(2), sec(2.5), claims.OK)}, died: map[string]time.Time{"x": sec(3)}, want: 1},
	} {
		l := &ledger{jobs: []claims.Job{{Name: "a"}}, runs: map[string][]claims.Run{"a": c.runs}}
		if got := l.overlaps(c.died); len(got) != c.want {
			t.Errorf("%s: %q, want %d", name, got, c.want)
		}
	}
}

func TestFatesAndTally(t *testing.T) {
	row := func(from, to int, verdict claims.Verdict, reason string) claims.SlotRow {
		return claims.SlotRow{Slot: claims.ScheduledSlot("a", sec(float64(from))), Until: sec(float64(to)), Verdict: verdict, Reason: reason,
			Count: int64(to - from + 1)}
	}
	slot := func(s int) string { return claims.ScheduledSlot("a", sec(float64(s))).ID }
	fault := at("f", time.Time{}, sec(6), claims.Failed)
	fault.Reason = "no room"
	l := &ledger{
		slots: map[string][]claims.SlotRow{"a": {
			row(0, 0, "ok", ""), row(1, 3, claims.Skipped, "run 01a207a3-5391-71ee-8da0-d6472148d2c2 was still running"),
			row(4, 4, claims.Missed, "process 12 is gone"), row(5, 5, "failed", ""), row(7, 7, "ok", ""), row(7, 7, "ok", ""),
		}},
		bySlot: map[string][]claims.Run{slot(0): {at("1", sec(0), sec(0.5), claims.OK)}, slot(5): {fault},
			slot(7): {at("2", sec(7), sec(8), claims.OK), at("3", sec(7), sec(8), claims.Trapped)}},
	}
	fates, err := l.fates(claims.Job{Name: "a", Schedule: everySecond, Timezone: "UTC"}, window{first: sec(0), last: sec(7)})
	if err != nil || len(fates) != 8 {
		t.Fatalf("%d fates, %v", len(fates), err)
	}
	var tally Tally
	rows := ""
	for _, f := range fates {
		tally.add(f)
		rows += fmt.Sprint(len(f.rows))
	}
	if rows != "11111102" { // nothing is on record at :06, and :07 is on record twice
		t.Errorf("records by slot: %s", rows)
	}
	want := Tally{Due: 8, Started: 2, OK: 2, Missed: 1, Skipped: 3, NoVerdict: 1, NotStarted: 1, Reasons: map[string]int{
		"run … was still running": 3, "… is gone": 1, "no room": 1}}
	if fmt.Sprint(tally) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", tally, want)
	}
}

func TestQuantiles(t *testing.T) {
	var of []time.Duration
	for i := range 200 {
		of = append(of, time.Duration(200-i)*time.Millisecond)
	}
	if got, want := quantiles(of), (Quantiles{N: 200, P50: 100, P90: 180, P99: 198, Max: 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := quantiles(nil); got != (Quantiles{}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got, want := quantiles(of[:1]), (Quantiles{N: 1, P50: 200, P90: 200, P99: 200, Max: 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestJudgements(t *testing.T) {
	good := CrowdFigures{Healthy: Tally{Due: 10, Started: 10, OK: 10}, Start: Quantiles{P99: 249}}
	if got := good.judge(); len(got) > 0 {
		t.Errorf("a good crowd: %q", got)
	}
	for name, spoil := range map[string]func(*CrowdFigures){
		"a slot did not start": func(f *CrowdFigures) { f.Healthy.Started, f.Healthy.OK = 9, 9 },
		"a run failed":         func(f *CrowdFigures) { f.Healthy.OK = 9 },
		"too late":             func(f *CrowdFigures) { f.Start.P99 = 250 },
		"overlap":              func(f *CrowdFigures) { f.Overlaps = []string{"two"} },
		"audit":                func(f *CrowdFigures) { f.Findings = []string{"slot-missing"} },
		"open claim":           func(f *CrowdFigures) { f.OpenClaims = 1 },
		"nothing measured":     func(f *CrowdFigures) { f.Healthy = Tally{} },
	} {
		f := good
		spoil(&f)
		if got := f.judge(); len(got) != 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
	pair := TwoHostsFigures{Slots: Tally{Due: 4, Started: 4}}
	if got := pair.judge(); len(got) > 0 {
		t.Errorf("a good pair: %q", got)
	}
	pair.Double = []string{"slot"}
	if got := pair.judge(); len(got) != 1 {
		t.Errorf("a double slot: %q", got)
	}
}
