package guest

import (
	"encoding/json"
	"fmt"

	"github.com/wcron/wcron/guest/internal/host"
)

// State is the job's own key-value store, which goes from run to run; the zero value is ready. A run reads it as it was when the run
// was claimed, under its own writes. What it writes is kept if it ends with exit code 0, and only then.
//
// A key has 1 to 512 bytes of UTF-8, a value at most 256 KiB, and all of it together 1 MiB unless the operator says otherwise; see
// [BadKey], [ValueTooLarge] and [Quota].
type State struct{}

// Get is the value of a key; found is false, and value nil, if there is none.
func (State) Get(key string) (value []byte, found bool, err error) {
	a, err := state(stateRequest{Op: "get", Key: &key})
	return a.Value, a.Found, err
}

// Set sets a key. A nil value is an empty one.
func (State) Set(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	_, err := state(stateRequest{Op: "set", Key: &key, Value: &value})
	return err
}

// Delete removes a key, and tells whether it was there.
func (State) Delete(key string) (found bool, err error) {
	a, err := state(stateRequest{Op: "delete", Key: &key})
	return a.Found, err
}

// List is all keys that begin with the prefix, in order; an empty prefix stands for all keys.
func (State) List(prefix string) (keys []string, err error) {
	r := stateRequest{Op: "list", Prefix: &prefix}
	for {
		a, err := state(r)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, a.Keys...); !a.More || len(a.Keys) == 0 {
			return keys, nil
		}
		r.After = &a.Keys[len(a.Keys)-1]
	}
}

// CompareAndSet sets a key if it has the old value. An old value of nil stands for a key that is not there, a new value of nil
// deletes it. If swapped is false nothing has changed and now is what the key has, nil for none.
func (State) CompareAndSet(key string, old, value []byte) (swapped bool, now []byte, err error) {
	r := stateRequest{Op: "cas", Key: &key}
	if old != nil {
		r.Old = &old
	}
	if value != nil {
		r.Value = &value
	}
	a, err := state(r)
	return a.Swapped, a.Value, err
}

// Load reads the value of a key, as JSON, into what v points to, and leaves that as it is where there is none.
func (s State) Load(key string, v any) (found bool, err error) {
	text, found, err := s.Get(key)
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("state %q: %w", key, err)
	}
	return true, nil
}

// Save sets a key to v, as JSON.
func (s State) Save(key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("state %q: %w", key, err)
	}
	return s.Set(key, text)
}

// stateRequest is what wcron_state takes. JSON carries bytes as base64.
type stateRequest struct {
	Op     string  `json:"op"`
	Key    *string `json:"key,omitempty"`
	Value  *[]byte `json:"value,omitempty"`
	Old    *[]byte `json:"old,omitempty"`
	Prefix *string `json:"prefix,omitempty"`
	After  *string `json:"after,omitempty"`
}

type stateAnswer struct {
	Found   bool     `json:"found"`
	Swapped bool     `json:"swapped"`
	Value   []byte   `json:"value"`
	Keys    []string `json:"keys"`
	More    bool     `json:"more"`
	failure
}

func state(r stateRequest) (a stateAnswer, err error) {
	if err := ask("wcron_state", host.State, r, &a); err != nil {
		return stateAnswer{}, err
	}
	return a, nil
}
