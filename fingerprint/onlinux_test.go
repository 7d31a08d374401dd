package fingerprint

import (
	"fmt"
	"strings"
	"testing"
)

// statLine has the fields of proc_pid_stat(5) up to starttime and one more.
func statLine(pid int, name, state string, threads int, start uint64) string {
	return fmt.Sprintf("%d (%s) %s 1 1 1 0 -1 4194304 9 8 7 6 5 4 3 2 20 0 %d 0 %d 3133440\n", pid, name, state, threads, start)
}

func TestParseStat(t *testing.T) {
	for _, name := range []string{"cat", "", "x) R 9 (y", ")", "(", "a b c", "a\nb", ") Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"} {
		want := linuxStat{pid: 4242, state: 'S', threads: 8, start: 9911}
		if got, err := parseStat([]byte(statLine(4242, name, "S", 8, 9911))); err != nil || got != want {
			t.Errorf("name %q: got %+v, %v; want %+v", name, got, err, want)
		}
	}
	good := statLine(4242, "cat", "S", 8, 9911)
	for name, line := range map[string]string{
		"empty":           "",
		"no brackets":     "4242 cat S 1",
		"brackets turned": "4242 )cat( S 1",
		"name alone":      "4242 (cat)",
		"cut at start":    strings.TrimSuffix(good, " 9911 3133440\n"),
		"pid":             "x" + good,
		"state":           strings.Replace(good, " S ", " SS ", 1),
		"threads":         strings.Replace(good, " 8 0 9911", " x 0 9911", 1),
		"start":           strings.Replace(good, " 9911 ", " -1 ", 1),
	} {
		if got, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

// Whatever a process calls itself, its own fields are read.
func FuzzParseStatName(f *testing.F) {
	f.Add("x) R 9 (y", 1, 1, uint64(0))
	f.Add("cat", 4242, 8, uint64(9911))
	f.Fuzz(func(t *testing.T, name string, pid, threads int, start uint64) {
		want := linuxStat{pid: pid, state: 'Z', threads: threads, start: start}
		if got, err := parseStat([]byte(statLine(pid, name, "Z", threads, start))); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	})
}

// No text makes the parser panic, and text that it refuses is never read as an ended process.
func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine(4242, "cat", "S", 8, 9911)))
	f.Add([]byte("4242 (cat"))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parseStat(data)
		now := linuxPID{open: found, stat: data}.process(4242)
		if err != nil && now.State != Unclear {
			t.Errorf("refused with %v, and read as %+v", err, now)
		}
		if err == nil && st.pid == 4242 && now.Start == "" {
			t.Errorf("read as %+v, and no start time in %+v", st, now)
		}
	})
}
