//go:build !wasip1

package guest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/guest"
	"github.com/wcron/wcron/guest/internal/host"
)

// A guest brings in the standard library and nothing else: neither the host nor what the host depends on.
func TestOnlyTheStandardLibrary(t *testing.T) {
	for _, target := range [][]string{{"GOOS=wasip1", "GOARCH=wasm"}, {"GOOS=linux", "GOARCH=amd64"}} {
		list := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...")
		list.Env = append(os.Environ(), target...)
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for path := range strings.FieldsSeq(string(out)) {
			if path != "github.com/wcron/wcron/guest" && !strings.HasPrefix(path, "github.com/wcron/wcron/guest/") {
				t.Errorf("for %s it needs %s", target[0], path)
			}
			own++
		}
		if own != 3 {
			t.Errorf("%d packages for %s: the list is not what this test takes it for", own, target[0])
		}
	}
}

func TestEvent(t *testing.T) {
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	read, err := guest.ReadEvent(strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	current, err := guest.CurrentEvent()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []guest.Event{read, current} {
		if e.Job != "report" || e.Attempt != 1 || e.Last != nil || !e.ScheduledAt.Equal(at("2026-11-23T02:15:00Z")) ||
			!e.Deadline.Equal(at("2026-11-23T02:20:00.012Z")) || string(e.Input) != `{"mode":"full"}` {
			t.Errorf("%+v", e)
		}
		in := struct{ Mode string }{"quick"}
		if err := e.Decode(&in); err != nil || in.Mode != "full" {
			t.Errorf("input %+v, %v", in, err)
		}
		if err := e.Decode(&struct{ Other int }{}); err == nil || !strings.Contains(err.Error(), `unknown field "mode"`) {
			t.Errorf("an input that nobody asked for: %v", err)
		}
	}
	unlimited, err := guest.ReadEvent(strings.NewReader(`{"deadline":null,"last":{"run_id":"1","outcome":"failed","ended_at":"2026-11-23T02:15:00Z"},"input":null}`))
	if err != nil || !unlimited.Deadline.IsZero() || unlimited.Last == nil || unlimited.Last.Outcome != "failed" {
		t.Errorf("%+v, %v", unlimited, err)
	}
	in := struct{ Mode string }{"quick"}
	if err := unlimited.Decode(&in); err != nil || in.Mode != "quick" {
		t.Errorf("without an input: %+v, %v", in, err)
	}
	list, table := []string{"a"}, map[string]int{"a": 1}
	if err := errors.Join(unlimited.Decode(&list), unlimited.Decode(&table)); err != nil || len(list) != 1 || len(table) != 1 {
		t.Errorf("without an input: %v, %v, %v", list, table, err)
	}
	if _, err := guest.ReadEvent(strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "is this run by wcron?") {
		t.Errorf("no event: %v", err)
	}
	if left, limited, err := guest.Remaining(); left != 4200*time.Millisecond || !limited || err != nil {
		t.Errorf("remaining %s %v %v", left, limited, err)
	}
}

func TestState(t *testing.T) {
	open()
	var s guest.State
	check := func(what string, got ...any) {
		t.Helper()
		if text := fmt.Sprint(got...); text != what {
			t.Errorf("got %s, want %s", text, what)
		}
	}
	bytes := func(v []byte, found bool, err error) []any { return []any{fmt.Sprintf("%q %v %v", v, found, err)} }
	check(`"" false <nil>`, bytes(s.Get("k"))...)
	check("<nil>", s.Set("k", nil))
	v, found, err := s.Get("k")
	check(`"" true <nil>`, bytes(v, found, err)...)
	check("<nil>", s.Set("k", []byte("\x00\xff1")))
	check(`"\x00\xff1" true <nil>`, bytes(s.Get("k"))...)

	swap := func(swapped bool, now []byte, err error) []any {
		return []any{fmt.Sprintf("%v %q %v %v", swapped, now, now == nil, err)}
	}
	check(`false "\x00\xff1" false <nil>`, swap(s.CompareAndSet("k", nil, []byte("2")))...)
	check(`false "" true <nil>`, swap(s.CompareAndSet("new", []byte("1"), []byte("2")))...)
	check(`true "" true <nil>`, swap(s.CompareAndSet("k", []byte("\x00\xff1"), []byte{}))...)
	check(`true "" true <nil>`, swap(s.CompareAndSet("k", []byte{}, nil))...)
	check(`"" false <nil>`, bytes(s.Get("k"))...)

	for i := range 2500 {
		if err := s.Set(fmt.Sprintf("list/%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.List("list/")
	check("2500 list/2499 <nil>", len(keys), " ", keys[len(keys)-1], " ", err)
	keys, err = s.List("none")
	check("0 <nil>", len(keys), " ", err)
	check("true <nil>", fmt.Sprint(s.Delete("list/0000")))
	check("false <nil>", fmt.Sprint(s.Delete("list/0000")))

	for code, err := range map[string]error{
		guest.BadKey:        s.Set("", nil),
		guest.ValueTooLarge: s.Set("k", make([]byte, 256<<10+1)),
		guest.Quota:         errors.Join(s.Set("a", make([]byte, 256<<10)), s.Set("b", make([]byte, 256<<10)), s.Set("c", make([]byte, 256<<10)), s.Set("d", make([]byte, 256<<10))),
	} {
		var e *guest.Error
		if guest.Code(err) != code || !errors.As(err, &e) || e.Call != "wcron_state" || e.Message == "" {
			t.Errorf("want %s, got %v", code, err)
		}
	}
	if _, err := s.Load("a", &struct{}{}); err == nil || !strings.HasPrefix(err.Error(), `state "a": `) {
		t.Errorf("a value that is no JSON: %v", err)
	}
}

func TestTell(t *testing.T) {
	open()
	if err := guest.Progress(40, "indexing"); err != nil || told.progress != `[40,"indexing"]` {
		t.Errorf("%s, %v", told.progress, err)
	}
	if err := guest.Progress(-1, "more"); err != nil || told.progress != `[-1,"more"]` {
		t.Errorf("%s, %v", told.progress, err)
	}
	if err := guest.Progress(101, ""); guest.Code(err) != guest.BadRequest {
		t.Error(err)
	}
	for _, input := range []any{nil, map[string]int{"n": 1}} {
		if err := guest.Emit("notify", input); err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprintf("%s", told.door.Emits()); got != `[{notify } {notify {"n":1}}]` {
		t.Errorf("emitted %s", got)
	}
	if err := guest.Emit("other", nil); guest.Code(err) != guest.NotGranted {
		t.Error(err)
	}
	if err := guest.Emit("notify", func() {}); err == nil || guest.Code(err) != "" {
		t.Errorf("an input that is no JSON: %v", err)
	}
	if v, ok := guest.Config("greeting"); v != "hello" || !ok {
		t.Errorf("config %q %v", v, ok)
	}
	if v, ok := guest.Config("other"); v != "" || ok {
		t.Errorf("config %q %v", v, ok)
	}
}

// Where there is no host, each call says what to do.
func TestOutside(t *testing.T) {
	host.Inside = nil
	defer open()
	_, stateErr := guest.State{}.List("")
	_, eventErr := guest.CurrentEvent()
	_, _, leftErr := guest.Remaining()
	_, fetchErr := guest.Fetch(guest.Request{URL: "https://example.com/"})
	for _, err := range []error{stateErr, eventErr, leftErr, fetchErr, guest.Progress(1, ""), guest.Emit("notify", nil)} {
		if !errors.Is(err, guest.ErrOutside) {
			t.Errorf("%v", err)
		}
	}
	guest.Log(guest.LogInfo, "nobody hears this")
	guest.Reason("nor this")
	if v, ok := guest.Config("greeting"); v != "" || ok {
		t.Errorf("config %q", v)
	}
}
