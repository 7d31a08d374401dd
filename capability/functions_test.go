package capability

import (
	"context"
	"strings"
	"testing"

	"github.com/wcron/wcron/sandbox"
)

// A function that an embedder cannot have is refused by its name, with what is wrong with it.
func TestFunctionsThatCannotBe(t *testing.T) {
	call := func(context.Context, RunInfo, [][]byte) ([]byte, error) { return nil, nil }
	for _, c := range []struct {
		own  []Function
		want string
	}{
		{[]Function{{Name: "f", Params: 1, Call: call}, {Name: "f", Params: 2, Call: call}}, "function f of extism:host/user: extism:host/user has one of that name"},
		{[]Function{{Name: "wcron_state", Call: call}}, "function wcron_state: names that begin with wcron_"},
		{[]Function{{Name: "wcron_mine", Call: call}}, "function wcron_mine: names that begin with wcron_"},
		{[]Function{{Name: "http_request", Call: call}}, "function http_request of extism:host/user: extism:host/env has one of that name"},
		{[]Function{{Name: "alloc", Call: call}}, "function alloc of extism:host/user: extism:host/env has one of that name"},
		{[]Function{{Call: call}}, "1 to 128 bytes"},
		{[]Function{{Name: "f", Params: 17, Call: call}}, "function f: it has 17 parameters, and may have 16"},
		{[]Function{{Name: "f", Params: -1, Call: call}}, "function f: it has -1 parameters"},
		{[]Function{{Name: "f"}}, "function f: Call is required"},
	} {
		calls, err := Functions(c.own)
		if err == nil {
			_, err = sandbox.New(t.Context(), sandbox.Config{Functions: calls})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
