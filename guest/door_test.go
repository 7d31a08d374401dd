//go:build !wasip1

package guest_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/guest/internal/host"
	"github.com/wcron/wcron/sandbox"
)

const event = `{"job":"report","schedule":"15 3 * * *","timezone":"Europe/Berlin","run_id":"0199","slot":"report@2026-11-23T02:15:00Z",` +
	`"scheduled_at":"2026-11-23T02:15:00Z","started_at":"2026-11-23T02:15:00.012Z","attempt":1,"missed":0,"manual":false,` +
	`"deadline":"2026-11-23T02:20:00.012Z","last":null,"input":{"mode":"full"}}`

// told is what the host was told, beside what it has answered.
var told struct {
	progress string
	door     *capability.Door
}

// open puts the door that real guests pass around this process.
func open() {
	door := capability.NewDoor(capability.Setup{
		State:     capability.NewState(map[string][]byte{}, 0),
		Grants:    capability.Grants{Emit: []string{"notify"}, Config: map[string]string{"greeting": "hello"}},
		Event:     []byte(event),
		Remaining: func() (time.Duration, bool) { return 4200 * time.Millisecond, true },
		Exists:    func(_ context.Context, job string) (bool, error) { return job == "notify", nil },
		Progress: func(percent float64, text string) {
			b, _ := json.Marshal([]any{percent, text})
			told.progress = string(b)
		},
	})
	told.door = door
	calls := door.Calls()
	host.Inside = func(name string, blocks ...[]byte) (status int, header, block []byte) {
		f := calls[name]
		if f == nil {
			return 0, nil, nil // the log and the reason, which the sandbox keeps
		}
		var args []sandbox.Arg
		for _, b := range blocks {
			args = append(args, sandbox.Arg{Block: b})
		}
		answer, err := f(context.Background(), args)
		if err != nil {
			panic(err)
		}
		if name == "http_request" {
			code, _ := calls["http_status_code"](context.Background(), nil)
			h, _ := calls["http_headers"](context.Background(), nil)
			return int(code.Int), h.Block, answer.Block
		}
		return 0, nil, answer.Block
	}
}

func TestMain(m *testing.M) {
	open()
	os.Exit(m.Run())
}
