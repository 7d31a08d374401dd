package capability

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/sandbox"
)

// deaf never comes back before it is let go, whatever its context says.
type deaf chan struct{}

func (d deaf) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	<-d
	return nil, net.ErrClosed
}

// Whatever a guest's call hangs in when its deadline passes, the guest is dead soon after, and nothing is left once the call comes back.
func TestCallsThatHangAreLeftBehind(t *testing.T) {
	const timeout = 30 * time.Millisecond
	own := []Function{{Name: "own", Params: 1, Free: true, Call: func(context.Context, RunInfo, [][]byte) ([]byte, error) { return nil, nil }}}
	functions, err := Functions(own)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sandbox.New(t.Context(), sandbox.Config{Functions: functions})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	request := guest.Call{Function: "http_request", Request: get("http://example.com/")}
	for name, test := range map[string]struct {
		call guest.Call
		hang func(s *Setup, let deaf)
	}{
		"name": {request, func(s *Setup, let deaf) { s.HTTP = &NetClient{Resolver: let} }},
		"connection": {request, func(s *Setup, let deaf) {
			s.HTTP = &NetClient{Resolver: publicNames{}, Dial: func(context.Context, string, string) (net.Conn, error) { <-let; return nil, net.ErrClosed }}
		}},
		"server": {request, func(s *Setup, let deaf) {
			s.HTTP = &NetClient{Resolver: publicNames{}, Dial: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() { <-let; _ = there.Close() }()
				return here, nil
			}}
		}},
		"secret": {request, func(s *Setup, let deaf) {
			s.Grants.Secrets = []Secret{{Name: "S", Header: "X", Host: "example.com", Value: func(context.Context) (string, error) { <-let; return "x", nil }}}
		}},
		"emit": {guest.Call{Function: "wcron_emit", Request: `{"job":"a"}`}, func(s *Setup, let deaf) {
			s.Exists = func(context.Context, string) (bool, error) { <-let; return true, nil }
		}},
		"progress": {guest.Call{Function: "wcron_progress", Request: `{}`}, func(s *Setup, let deaf) { s.Progress = func(float64, string) { <-let } }},
		"event": {guest.Call{Function: "wcron_event", Request: `{}`}, func(s *Setup, let deaf) {
			s.Remaining = func() (time.Duration, bool) { <-let; return 0, false }
		}},
		"an embedder's": {guest.Call{Function: "own", Request: `{}`}, func(s *Setup, let deaf) {
			s.Functions = []Function{{Name: "own", Params: 1, Free: true, Call: func(context.Context, RunInfo, [][]byte) ([]byte, error) { <-let; return []byte("x"), nil }}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := e.Compile(t.Context(), guest.Calling(guest.ThenReturn, test.call))
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.NumGoroutine()
			let := make(deaf)
			g := anyway("example.com")
			g.Emit = []string{"a"}
			s := Setup{Grants: g, State: NewState(nil, 0)}
			test.hang(&s, let)
			d := NewDoor(s)
			begun := time.Now()
			res := m.Run(context.Background(), sandbox.Run{Timeout: timeout, Calls: d.Calls()})
			if took := time.Since(begun); res.Outcome != sandbox.Timeout || took > timeout+300*time.Millisecond {
				t.Errorf("%+v after %s", res, took)
			}
			d.Refusals() // beside the call that was left behind
			close(let)
			for i := 0; runtime.NumGoroutine() > before; i++ {
				if i == 500 {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
				time.Sleep(10 * time.Millisecond) // they are on their way out
			}
		})
	}
}

type publicNames struct{}

func (publicNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{public}, nil
}
