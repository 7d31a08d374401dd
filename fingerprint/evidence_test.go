package fingerprint

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

// emptyMachine is the machine on which everything would look dead: the place of linuxEvidence, without any process.
func emptyMachine() fakeMachine { return fakeMachine{place: linuxPlace()} }

func TestEncodeParse(t *testing.T) {
	big := linuxEvidence()
	big.PidfsInode, big.Start = math.MaxUint64, strconv.FormatUint(math.MaxUint64, 10)
	for _, e := range []Evidence{
		linuxEvidence(),
		big,
		{Version: 1, Platform: "darwin", Boot: strings.ToUpper(bootA), PID: 1, Start: "1767225600.000123"},
		{Version: 1, Platform: "windows", Machine: "m", Host: "<&\u2028\x00>", PID: 4, Start: "134116992000000123"},
		{Version: 1, PID: 12, Legacy: true},
	} {
		got, err := Parse(e.Encode())
		if err != nil || got != e {
			t.Errorf("%s: got %+v, %v", e.Encode(), got, err)
		}
	}
}

// The bytes are a format that outlives the program: a change here needs another Version.
func TestEncodeIsStable(t *testing.T) {
	const want = `{"version":1,"platform":"linux","machine":"m1","host":"web-1","boot":"8470ceac-4789-4683-906e-580aabbb23bb",` +
		`"pid_namespace":4026531836,"time_namespace":4026531834,"pid":4242,"start":"9911","pidfs_inode":77001}`
	if got := string(linuxEvidence().Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Malformed data is an error, and its Evidence is never judged dead, even where no process is left.
func TestParseMalformed(t *testing.T) {
	good := string(linuxEvidence().Encode())
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%s does not hold %s", good, from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, data := range map[string]string{
		"empty":             "",
		"null":              "null",
		"empty object":      "{}",
		"array":             "[]",
		"string":            `"4242-f3a1"`,
		"number":            "4242",
		"not JSON":          "pid=4242",
		"cut short":         good[:len(good)-1],
		"two records":       good + good,
		"older":             `{"pid":4242,"start":"9911"}`,
		"version 0":         change(`"version":1`, `"version":0`),
		"negative version":  change(`"version":1`, `"version":-1`),
		"version as text":   change(`"version":1`, `"version":"1"`),
		"endless version":   change(`"version":1`, `"version":99999999999999999999`),
		"unknown platform":  change("linux", "plan9"),
		"no platform":       change(`"platform":"linux",`, ""),
		"pid 0":             change(`"pid":4242`, `"pid":0`),
		"negative pid":      change(`"pid":4242`, `"pid":-1`),
		"pid too high":      change(`"pid":4242`, `"pid":4294967296`),
		"pid as text":       change(`"pid":4242`, `"pid":"4242"`),
		"pid as fraction":   change(`"pid":4242`, `"pid":4242.5`),
		"no boot":           change(bootA, ""),
		"damaged boot":      change(bootA, "8470ceac-4789-4683-906e-580aabbb23b"),
		"boot not hex":      change(bootA, "z470ceac-4789-4683-906e-580aabbb23bb"),
		"boot not ASCII":    change(bootA, "\u00e9470ceac-4789-4683-906e-580aabbb23b"),
		"boot hyphens":      change(bootA, "8470ceac04789-4683-906e-580aabbb23bb"),
		"no pid namespace":  change(`"pid_namespace":4026531836,`, ""),
		"start not number":  change("9911", "soon"),
		"start padded":      change("9911", "09911"),
		"start signed":      change("9911", "+9911"),
		"no start or inode": change(`,"start":"9911","pidfs_inode":77001`, ""),
		"darwin start":      `{"version":1,"platform":"darwin","boot":"` + bootA + `","pid":1,"start":"1767225600"}`,
		"darwin no boot":    `{"version":1,"platform":"darwin","pid":1,"start":"1767225600.000001"}`,
		"windows start":     `{"version":1,"platform":"windows","machine":"m","host":"h","pid":4,"start":""}`,
		"windows machine":   `{"version":1,"platform":"windows","host":"h","pid":4,"start":"1"}`,
		"legacy without":    `{"version":1,"legacy":true}`,
		"too long":          good + strings.Repeat(" ", maxRecord),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Parse([]byte(data))
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, want ErrMalformed", err)
			}
			if got, why := Judge(e, emptyMachine()); got != Unknown || why == "" {
				t.Errorf("judges %s, %q; want unknown and a reason", got, why)
			}
		})
	}
	if _, err := Parse([]byte(good)); err != nil {
		t.Errorf("the record that the cases change: %v", err)
	}
}

// A newer record may have changed every other key.
func TestParseNewerVersion(t *testing.T) {
	for _, data := range []string{`{"version":2}`, `{"version":7,"pid":"4242","boot":[1],"start":{}}`} {
		e, err := Parse([]byte(data))
		if err != nil || e.Version < 2 {
			t.Errorf("%s: got %+v, %v; want its version and no error", data, e, err)
		}
		if got, why := Judge(e, emptyMachine()); got != Unknown {
			t.Errorf("%s: judges %s, %q; want unknown", data, got, why)
		}
	}
}

// Judge checks by itself: evidence need not come from Parse.
func TestJudgeZeroEvidence(t *testing.T) {
	if got, why := Judge(Evidence{}, emptyMachine()); got != Unknown || why == "" {
		t.Errorf("got %s, %q; want unknown and a reason", got, why)
	}
}

// A damaged record cannot flood the operator's line.
func TestSentenceIsShort(t *testing.T) {
	e := linuxEvidence()
	e.Boot = strings.Repeat("\x1b[2J", 1000)
	if _, why := Judge(e, emptyMachine()); len(why) > 500 || strings.ContainsRune(why, '\x1b') {
		t.Errorf("got %d bytes: %.600q", len(why), why)
	}
}

func TestLegacyOwner(t *testing.T) {
	for id, pid := range map[string]int{"1-a": 1, "4242-f3a1": 4242, "4242-7": 4242, "2147483647-XYZ": math.MaxInt32} {
		e, ok := LegacyOwner(id)
		if !ok || e.PID != pid {
			t.Errorf("%q: got %+v, %v; want pid %d", id, e, ok, pid)
		}
		if back, err := Parse(e.Encode()); err != nil || back != e {
			t.Errorf("%q: parses as %+v, %v", id, back, err)
		}
	}
	for _, id := range []string{"", "-", "4242", "4242-", "-f3a1", "0-a", "01-a", "+1-a", "-1-a", " 1-a", "1 -a", "1-a ", "1-a-b", "1-a_b", "1-ä",
		"1-a\n", "x1-a", "0x1-a", "1.0-a", "2147483648-a", "99999999999999999999-a",
		"55084001-e29b-41d4-a716-446655440000", "01890a5d-ac96-774b-bcce-b302099a8057"} {
		if e, ok := LegacyOwner(id); ok || e != (Evidence{}) {
			t.Errorf("%q: got %+v, %v; want nothing", id, e, ok)
		}
	}
	if got, why := Judge(legacy("4242-f3a1"), fakeMachine{processes: map[int]Process{4242: {Why: "denied"}}}); got != Unknown {
		t.Errorf("with nothing known of the pid: got %s, %q; want unknown", got, why)
	}
}

func TestMachineKey(t *testing.T) {
	id := "0123456789abcdef0123456789abcdef"
	key := machineKey(id + "\n")
	if len(key) != 32 || key == id || key != machineKey(strings.ToUpper(id)) {
		t.Errorf("got %q, want 32 letters that are not the id, whatever its case and line end", key)
	}
	if other := machineKey("1" + id[1:]); other == key {
		t.Errorf("two ids give %q", key)
	}
	for _, id := range []string{"", "\n", "uninitialized\n", strings.Repeat("0", 32), "00000000-0000-0000-0000-000000000000"} {
		if key := machineKey(id); key != "" {
			t.Errorf("%q gives %q, want nothing", id, key)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(linuxEvidence().Encode())
	f.Add([]byte(`{"version":1,"platform":"darwin","boot":"` + bootA + `","pid":1,"start":"1767225600.000001"}`))
	f.Add([]byte(`{"version":1,"platform":"windows","machine":"m","host":"h","pid":4,"start":"1"}`))
	f.Add([]byte(`{"version":1,"pid":5,"legacy":true}`))
	f.Add([]byte(`{"version":2,"pid":"x"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		got, why := Judge(e, emptyMachine())
		if why == "" {
			t.Error("a verdict without a reason")
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) || e != (Evidence{}) || got != Unknown {
				t.Errorf("got %+v, %v, %s; want nothing, ErrMalformed, unknown", e, err, got)
			}
			return
		}
		if e.Version > Version {
			if got != Unknown {
				t.Errorf("a newer record judges %s", got)
			}
			return
		}
		if back, err := Parse(e.Encode()); err != nil || back != e {
			t.Errorf("%+v comes back as %+v, %v", e, back, err)
		}
	})
}
