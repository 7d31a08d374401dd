package capability

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// StateCall is the name under which guests import the calls of State, from extism:host/user.
const StateCall = "wcron_state"

// Limits of a job's state.
const (
	DefaultQuota int64 = 1 << 20   // of all keys and values together, in bytes
	MaxKey             = 512       // bytes of a key
	MaxValue           = 256 << 10 // bytes of a value
	KeyCost            = 32        // bytes that a key counts for beside itself and its value
)

// Codes of errors in an answer.
const (
	BadRequest    = "bad_request"     // not JSON, or not of the form that is documented
	UnknownOp     = "unknown_op"      // an operation that this version does not have
	BadKey        = "bad_key"         // empty, longer than MaxKey, or not UTF-8
	ValueTooLarge = "value_too_large" // longer than MaxValue
	OverQuota     = "quota"           // the state would be larger than it may be
)

// State is what one run sees of its job's state: what was committed when the run was claimed, under its own writes. Nothing that
// the guest writes leaves it by itself: the caller takes Writes when the run was ok, and forgets them otherwise. It is for one run
// and one goroutine.
type State struct {
	base   map[string][]byte
	writes map[string][]byte // nil value: deleted
	used   map[string]bool
	quota  int64
	size   int64
}

// NewState is the view of a run on what is committed, which must not be changed meanwhile. A quota of 0 stands for DefaultQuota.
// State that is over the quota already can be read, and made smaller.
func NewState(committed map[string][]byte, quota int64) *State {
	if quota == 0 {
		quota = DefaultQuota
	}
	s := &State{base: committed, writes: map[string][]byte{}, used: map[string]bool{}, quota: quota}
	for k, v := range committed {
		s.size += cost(k, v)
	}
	return s
}

func cost(key string, value []byte) int64 { return int64(len(key)) + int64(len(value)) + KeyCost }

// Write is a change of one key.
type Write struct {
	Key    string
	Value  []byte
	Delete bool
}

// Writes is what differs from what was committed, by key.
func (s *State) Writes() []Write {
	var list []Write
	for _, key := range slices.Sorted(maps.Keys(s.writes)) {
		value, old := s.writes[key], s.base[key]
		if (value == nil) == (old == nil) && bytes.Equal(value, old) {
			continue
		}
		list = append(list, Write{Key: key, Value: value, Delete: value == nil})
	}
	return list
}

// Used is every key that the guest asked about or changed, by key: also those that were not there, that it set to what they were, or
// for which there was no room. Should another run have changed one of them meanwhile, then what this one did rests on something that
// is no more.
func (s *State) Used() []string { return slices.Sorted(maps.Keys(s.used)) }

// stateRequest is what a guest asks. Value is base64 in the JSON.
type stateRequest struct {
	Op    string  `json:"op"`
	Key   *string `json:"key"`
	Value *string `json:"value"`

	bytes []byte // of Value
}

// stateAnswer is what it gets.
type stateAnswer struct {
	Found *bool      `json:"found,omitempty"`
	Value *[]byte    `json:"value,omitempty"`
	Error *callError `json:"error,omitempty"`
}

type callError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Call answers one request of the guest. See docs/plugins.md for its form. The error is nil.
func (s *State) Call(_ context.Context, request []byte) ([]byte, error) {
	a := stateAnswer{}
	if r, err := parseState(request); err != nil {
		a.Error = err
	} else {
		a = s.serve(r)
	}
	return json.Marshal(a)
}

func parseState(request []byte) (r stateRequest, bad *callError) {
	dec := json.NewDecoder(bytes.NewReader(request))
	dec.DisallowUnknownFields()
	err := dec.Decode(&r)
	if err == nil && len(bytes.TrimSpace(request[dec.InputOffset():])) > 0 {
		err = errors.New("there is more behind the object")
	}
	if err == nil && r.Value != nil {
		r.bytes, err = base64.StdEncoding.DecodeString(*r.Value)
	}
	if err != nil {
		return r, &callError{BadRequest, printable(fmt.Sprintf("the request cannot be read: %v", err))}
	}
	return r, nil
}

func (s *State) serve(r stateRequest) stateAnswer {
	switch r.Op {
	case "get", "set", "delete":
	default:
		return refuse(UnknownOp, "there is no operation %.40q here; there are get, set and delete", r.Op)
	}
	switch {
	case r.Key == nil:
		return refuse(BadRequest, "%s needs a key", r.Op)
	case *r.Key == "" || len(*r.Key) > MaxKey || !utf8.ValidString(*r.Key):
		return refuse(BadKey, "a key has 1 to %d bytes of UTF-8, and this one has %d", MaxKey, len(*r.Key))
	case (r.Op == "set") != (r.Value != nil):
		return refuse(BadRequest, "set needs a value, and no other operation takes one")
	}
	s.used[*r.Key] = true
	switch r.Op {
	case "get":
		value := s.get(*r.Key)
		found := value != nil
		if !found {
			return stateAnswer{Found: &found}
		}
		return stateAnswer{Found: &found, Value: &value}
	case "set":
		return s.set(*r.Key, r.bytes)
	}
	found := s.get(*r.Key) != nil
	if found {
		s.size -= cost(*r.Key, s.get(*r.Key))
		s.writes[*r.Key] = nil
	}
	return stateAnswer{Found: &found}
}

// get is the value of a key, never nil if there is one.
func (s *State) get(key string) []byte {
	value, written := s.writes[key]
	if !written {
		var there bool
		if value, there = s.base[key]; there && value == nil {
			value = []byte{}
		}
	}
	return value
}

func (s *State) set(key string, value []byte) stateAnswer {
	if len(value) > MaxValue {
		return refuse(ValueTooLarge, "a value has at most %d bytes, and this one has %d", MaxValue, len(value))
	}
	size := s.size + cost(key, value)
	if old := s.get(key); old != nil {
		size -= cost(key, old)
	}
	if size > s.quota && size > s.size {
		return refuse(OverQuota, "the state would have %d bytes, and may have %d", size, s.quota)
	}
	if value == nil {
		value = []byte{}
	}
	s.size, s.writes[key] = size, value
	return stateAnswer{}
}

func refuse(code, format string, args ...any) stateAnswer {
	return stateAnswer{Error: &callError{code, printable(fmt.Sprintf(format, args...))}}
}

// printable bounds a message that may have the guest's own bytes in it.
func printable(s string) string {
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
