package schedule

import (
	"testing"
	"time"
)

// TestCivil compares the date arithmetic with package time, day by day.
func TestCivil(t *testing.T) {
	for at := time.Date(1599, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2401; at = at.AddDate(0, 0, 1) {
		day, _ := floorDiv(at.Unix(), secondsPerDay)
		year, month, dom := civil(day)
		if year != at.Year() || month != int(at.Month()) || dom != at.Day() || dayNumber(year, month, dom) != day {
			t.Fatalf("day %d: %d-%d-%d (day %d), want %s", day, year, month, dom, dayNumber(year, month, dom), at)
		}
	}
	for _, year := range []int{1900, 2000, 2023, 2024, 2100} {
		for month := 1; month <= 12; month++ {
			if want := date(year, month+1, 0).Day(); monthLength(year, month) != want {
				t.Errorf("%d-%d has %d days, want %d", year, month, monthLength(year, month), want)
			}
		}
	}
}

func TestSampleMonths(t *testing.T) {
	for i, at := range sampleMonths() {
		if at.IsZero() || shape(at.AddDate(0, 1, -1).Day(), int(at.Weekday())) != i {
			t.Errorf("shape %d has the sample %s", i, at)
		}
	}
}

// TestSegments checks that the segments of a zone meet, that the offset is constant in each, and that none ends before it
// begins, including the last days of leap years.
func TestSegments(t *testing.T) {
	for _, name := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(1.2e9); at < 3.3e9; {
			seg := segmentAt(at, loc)
			if seg.end <= at || seg.start > at {
				t.Fatalf("%s: segment %+v does not hold %d", name, seg, at)
			}
			for probe := at; probe < min(seg.end, 3.3e9); probe += 6*3600 - 1 {
				if _, off := time.Unix(probe, 0).In(loc).Zone(); int64(off) != seg.offset {
					t.Fatalf("%s: offset %d at %s in segment %+v", name, off, time.Unix(probe, 0).UTC(), seg)
				}
			}
			at = seg.end
		}
		for year := 2012; year <= 2080; year += 4 {
			for hour := -30; hour < 30; hour++ {
				at := date(year, 12, 31).Add(time.Duration(hour) * time.Hour).Unix()
				if seg := segmentAt(at, loc); seg.end <= at || seg.start > at {
					t.Fatalf("%s: segment %+v does not hold %s", name, seg, time.Unix(at, 0).UTC())
				}
			}
		}
	}
}
