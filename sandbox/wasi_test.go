package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// poller puts the subscriptions at 1024 and polls once. It exits with the errno, or 100 and the number of events.
func poller(list []byte, n uint32) []byte {
	var m asm.Module
	four := []asm.Type{asm.TypeI32, asm.TypeI32, asm.TypeI32, asm.TypeI32}
	poll := m.Import("wasi_snapshot_preview1", "poll_oneoff", four, oneResult)
	write := m.Import("wasi_snapshot_preview1", "fd_write", four, oneResult)
	m.Memory(1, 1)
	m.Data(1024, list)
	const errno = 0
	m.Export("run", asm.KindFunc, m.Func(nil, oneResult, oneResult,
		asm.I32(1024), asm.I32(8192), asm.I32(int64(n)), asm.I32(0), asm.Call(poll), asm.Tee(errno),
		asm.If(asm.Get(errno), asm.Return),
		// the events to stdout
		asm.I32(16), asm.I32(8192), asm.Store(0), asm.I32(20), asm.I32(0), asm.Load(0), asm.I32(32), asm.Mul, asm.Store(0),
		asm.I32(1), asm.I32(16), asm.I32(1), asm.I32(24), asm.Call(write), asm.Drop,
		asm.I32(100), asm.I32(0), asm.Load(0), asm.Add))
	return m.Bytes()
}

func clockEvent(user uint64, id uint32, at uint64, flags uint16) []byte {
	b := make([]byte, subscriptionSize)
	binary.LittleEndian.PutUint64(b, user)
	binary.LittleEndian.PutUint32(b[16:], id)
	binary.LittleEndian.PutUint64(b[24:], at)
	binary.LittleEndian.PutUint16(b[40:], flags)
	return b
}

func fdEvent(user uint64, kind byte, fd uint32) []byte {
	b := make([]byte, subscriptionSize)
	binary.LittleEndian.PutUint64(b, user)
	b[8] = kind
	binary.LittleEndian.PutUint32(b[16:], fd)
	return b
}

// poll_oneoff waits as long as it must, by the clock that is meant, and tells what happened.
func TestPoll(t *testing.T) {
	var slept time.Duration
	e := newEngine(t, Config{Clock: Clock{
		Now:       func() time.Time { return time.Unix(1000, 0) },
		Monotonic: func() time.Duration { return 50 * time.Second },
		Sleep:     func(_ context.Context, d time.Duration) { slept = d },
	}})
	second := uint64(time.Second)
	for _, test := range []struct {
		name  string
		list  [][]byte
		code  uint32
		slept time.Duration
		seen  string // the user data and the errno of each event
	}{
		{"relative", [][]byte{clockEvent(1, 1, 3*second, 0)}, 101, 3 * time.Second, "1:0 "},
		{"the first of three", [][]byte{clockEvent(1, 1, 3*second, 0), clockEvent(2, 0, 2*second, 0), clockEvent(3, 0, 2*second, 0)}, 102, 2 * time.Second, "2:0 3:0 "},
		{"absolute by the wall clock", [][]byte{clockEvent(1, 0, 1007*second, 1)}, 101, 7 * time.Second, "1:0 "},
		{"absolute by the other", [][]byte{clockEvent(1, 1, 51*second, 1)}, 101, time.Second, "1:0 "},
		{"absolute in the past", [][]byte{clockEvent(1, 1, second, 1)}, 101, 0, "1:0 "},
		{"at once", [][]byte{clockEvent(1, 1, 0, 0)}, 101, 0, "1:0 "},
		{"for ever", [][]byte{clockEvent(1, 1, math.MaxUint64, 0)}, 101, math.MaxInt64, "1:0 "},
		{"stdout alone", [][]byte{fdEvent(9, 2, 1)}, 101, 0, "9:0 "},
		{"stdin or a second", [][]byte{clockEvent(1, 1, second, 0), fdEvent(2, 1, 0)}, 101, 0, "2:0 "},
		{"no such file", [][]byte{fdEvent(9, 1, 7), fdEvent(8, 2, 0), fdEvent(7, 1, 2)}, 103, 0, "9:8 8:8 7:8 "},
		{"another kind", [][]byte{fdEvent(9, 3, 1)}, errnoInval, 0, ""},
		{"nothing", nil, errnoInval, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			slept = 0
			var list []byte
			for _, s := range test.list {
				list = append(list, s...)
			}
			var out strings.Builder
			res := compile(t, e, poller(list, uint32(len(test.list)))).Run(context.Background(), Run{Stdout: &out})
			seen := ""
			for events := out.String(); len(events) > 0; events = events[eventSize:] {
				seen += fmt.Sprintf("%d:%d ", events[0], events[8])
			}
			if res.ExitCode != test.code || slept != test.slept || seen != test.seen {
				t.Errorf("code %d, slept %v, events %q; want %d, %v, %q; %+v", res.ExitCode, slept, seen, test.code, test.slept, test.seen, res)
			}
		})
	}
}

// Of two variables with one name the later holds.
func TestVariables(t *testing.T) {
	got := variables([]string{"A=1", "AB=2", "A=3", "B="})
	if want := (texts{"A=3", "AB=2", "B="}); !slices.Equal(got, want) || got.size() != 4+5+3 {
		t.Errorf("got %q of %d bytes, want %q", got, got.size(), want)
	}
}

// hostCalls is a guest that calls functions of the host as the bytes say, and writes into its memory in between.
func hostCalls(e *Engine, plan []byte) []byte {
	var m asm.Module
	var names []imported
	for f := range e.provided {
		if f.name != "proc_exit" {
			names = append(names, f)
		}
	}
	slices.SortFunc(names, func(x, y imported) int { return strings.Compare(x.module+" "+x.name, y.module+" "+y.name) })
	calls := make([]uint32, len(names))
	for i, f := range names {
		calls[i] = m.Import(f.module, f.name, e.provided[f].ParamTypes(), e.provided[f].ResultTypes())
	}
	m.Memory(2, 2)
	next := func() (b byte) {
		if len(plan) > 0 {
			b, plan = plan[0], plan[1:]
		}
		return b
	}
	var code asm.Code
	for steps := 0; len(plan) > 0 && steps < 200; steps++ {
		i := int(next()) % (len(names) + 8)
		if i >= len(names) { // write
			code = append(code, asm.Cat(asm.I32(wildNumber(next)), asm.I32(0xffff), asm.Code{0x71}, asm.I32(wildNumber(next)), asm.Store(0))...)
			continue
		}
		for _, typ := range e.provided[names[i]].ParamTypes() {
			if typ == asm.TypeI64 {
				code = append(code, asm.I64(wildNumber(next))...)
			} else {
				code = append(code, asm.I32(wildNumber(next))...)
			}
		}
		code = append(code, asm.Call(calls[i])...)
		if len(e.provided[names[i]].ResultTypes()) > 0 {
			code = append(code, asm.Drop...)
		}
	}
	m.Export("_start", asm.KindFunc, m.Func(nil, nil, nil, code))
	return m.Bytes()
}

// wildNumber is small, near a boundary, or anything.
func wildNumber(next func() byte) int64 {
	edges := [...]int64{0, 1, 2, 3, 16, 128, 1024, 65535, 65536, 131071, 131072, 131073, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1<<32 - 8,
		0x05555556, 0x08000000, 0x10000000, 0x20000001, -1 << 63, 1<<63 - 1}
	b := next()
	if b < 200 {
		return edges[int(b)%len(edges)]
	}
	return int64(next()) | int64(next())<<8 | int64(next())<<16 | int64(next())<<24
}

func FuzzHostCalls(f *testing.F) {
	e := newEngine(f, Config{Functions: []Function{stateCall}, Clock: Clock{Sleep: func(context.Context, time.Duration) {}}})
	top := f.TempDir()
	for seed := range byte(60) {
		f.Add([]byte{seed, 7, 8, 9, 250, 16, 0, 0, 0, seed, 15, 15, 15, 15, 15, 15, 15, 15, 15, 70, 3, 4, seed, 16, 17, 18, 19, 20})
	}
	f.Fuzz(func(t *testing.T, plan []byte) {
		m := compile(t, e, hostCalls(e, plan))
		defer m.Close(context.Background())
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		res := m.Run(context.Background(), Run{Timeout: patience, Input: plan, Dirs: []Dir{{Guest: "/", Host: dir, Write: true, Quota: 1 << 20}}, Args: []string{"a", ""}, Env: []string{"K=v"},
			Stdin: strings.NewReader(string(plan)), Stdout: writerFunc(func(p []byte) (int, error) { return len(p), nil }), Calls: map[string]Call{"wcron_state": blockCall(echo).call()}})
		// An offset that means no block is the guest's trap; everything else answers.
		if res.Outcome != OK && (res.Outcome != Trapped || !strings.Contains(res.Reason, "there is no block")) {
			t.Fatalf("calls with any arguments came to %+v", res)
		}
	})
}
