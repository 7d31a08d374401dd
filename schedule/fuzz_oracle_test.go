package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/schedule"
)

// fuzzZones are eight zones with all sorts of changes: of an hour, of half an hour, of two, at midnight, of a day, a negative one, and
// none.
var fuzzZones = []string{
	"UTC", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "America/Sao_Paulo", "Antarctica/Troll", "Pacific/Apia", "Africa/Cairo",
}

// FuzzNextAgainstOracle compares all times in a window of the years 1970 to 2100 with those that the oracle finds one by one.
func FuzzNextAgainstOracle(f *testing.F) {
	for i, text := range []string{
		"*/5 * * * *", "30 2 * * *", "DST=both 30 1 * * *", "DST=skip 0 0 * * *", "*/20 30 1 * * *", "0 0 L,LW,15W * 5L,5#3", "H H(0-3)/2 * * H", "0 0-4 */2 MAR,NOV fri-sun",
		"0 0 0 1 1 * 2026-2090/3", "30 1-9 * * *; 0 0 * * SUN", "@hourly", "*,7 1 * * *", "0 3 30 12 *",
	} {
		for _, at := range []int64{1_772_953_200, 1_793_509_200, 1_325_225_400, 4_000_000_000, 1_541_293_200} {
			f.Add(text, uint8(i), at)
		}
	}
	f.Fuzz(func(t *testing.T, text string, zoneOf uint8, at int64) {
		const first, last = 0, 4_102_444_800 // 1970 and 2100
		loc := zone(t, fuzzZones[int(zoneOf)%len(fuzzZones)])
		s, err := schedule.Parse(text, tableOptions(loc))
		if err != nil || s.Kind() != schedule.Cron && s.Kind() != schedule.List {
			return
		}
		// The oracle reads canonical texts: what Parse makes of other spellings is FuzzParse's matter.
		text = strings.ReplaceAll(s.String(), "\n", ";")
		after := time.Unix(first+int64(uint64(at)%(last-first)), 0)
		o, window := newBrute(t, text, loc), 30*time.Hour
		if one, ok := o.(*oracle); !ok || one.step == 1 {
			window = 2 * time.Hour
		}
		compare(t, 0, text, s, loc, o, after, after.Add(window))
	})
}
