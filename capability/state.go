package capability

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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
	MaxListed          = 1000      // keys in one answer of list
	MaxWrites          = 10_000    // keys that one run may change: a commit holds the ledger for every job
)

// Codes of errors in an answer.
const (
	BadRequest    = "bad_request"     // not JSON, or not of the form that is documented
	UnknownOp     = "unknown_op"      // an operation that this version does not have
	BadKey        = "bad_key"         // empty, longer than MaxKey, or not UTF-8
	ValueTooLarge = "value_too_large" // longer than MaxValue
	OverQuota     = "quota"           // the state would be larger than it may be, or the run has changed MaxWrites keys
)

// State is what one run sees of its job's state: what was committed when the run was claimed, under its own writes. Nothing that
// the guest writes leaves it by itself: the caller takes Writes when the run was ok, and forgets them otherwise. It is for one run
// and one goroutine.
type State struct {
	base   map[string][]byte
	writes map[string][]byte // nil value: deleted
	used   map[string]bool
	listed map[string]bool
	order  []string // every key of base and writes, in order, once a list was asked for; deleted ones are among them
	quota  int64
	size   int64
}

// NewState is the view of a run on what is committed, which must not be changed meanwhile. A quota of 0 stands for DefaultQuota.
// State that is over the quota already can be read, and made smaller.
func NewState(committed map[string][]byte, quota int64) *State {
	if quota == 0 {
		quota = DefaultQuota
	}
	s := &State{base: committed, writes: map[string][]byte{}, used: map[string]bool{}, listed: map[string]bool{}, quota: quota}
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

// Listed is every prefix whose keys the guest asked for: it rests on all keys that begin with it, those that are not there included.
func (s *State) Listed() []string { return slices.Sorted(maps.Keys(s.listed)) }

// maxUsed is how many keys, and how many prefixes, are told apart. A guest that uses more rests on all of the state.
const maxUsed = 10_000

func (s *State) use(key string)     { note(s.used, key, s.listed) }
func (s *State) look(prefix string) { note(s.listed, prefix, s.listed) }

// note keeps one of the things that the run rests on.
func note(in map[string]bool, what string, listed map[string]bool) {
	if listed[""] {
		return
	}
	if in[what] = true; len(in) > maxUsed {
		clear(in)
		listed[""] = true
	}
}

// stateRequest is what a guest asks. Value is base64 in the JSON.
type stateRequest struct {
	Op     string  `json:"op"`
	Key    *string `json:"key"`
	Value  *string `json:"value"`
	Old    *string `json:"old"`    // of cas; null: the key must not be there
	Prefix *string `json:"prefix"` // of list
	After  *string `json:"after"`  // of list: the last key of the answer before

	bytes, old []byte // of Value and Old; nil where they are
}

// stateAnswer is what it gets.
type stateAnswer struct {
	Swapped *bool      `json:"swapped,omitempty"`
	Found   *bool      `json:"found,omitempty"`
	Value   *[]byte    `json:"value,omitempty"`
	Keys    *[]string  `json:"keys,omitempty"`
	More    *bool      `json:"more,omitempty"`
	Error   *callError `json:"error,omitempty"`
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
	err := read(request, &r)
	if err == nil && !utf8.Valid(request) {
		err = errNotUTF8
	}
	if err == nil && r.Value != nil {
		r.bytes, err = decode(*r.Value)
	}
	if err == nil && r.Old != nil {
		r.old, err = decode(*r.Old)
	}
	if err != nil {
		return r, &callError{BadRequest, printable(fmt.Sprintf("the request cannot be read: %v", err))}
	}
	return r, nil
}

// decode is never nil without an error.
func decode(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func (s *State) serve(r stateRequest) stateAnswer {
	switch r.Op {
	case "get", "set", "delete", "cas", "list":
	default:
		return refuse(UnknownOp, "there is no operation %.40q here; there are get, set, delete, cas and list", r.Op)
	}
	if a := r.check(); a.Error != nil {
		return a
	}
	if r.Key != nil {
		s.use(*r.Key)
	}
	switch r.Op {
	case "get":
		return s.found(*r.Key)
	case "set":
		return s.set(*r.Key, r.bytes)
	case "cas":
		return s.swap(*r.Key, r.old, r.bytes)
	case "list":
		return s.list(r)
	}
	found := s.get(*r.Key) != nil
	if a := s.remove(*r.Key); a.Error != nil {
		return a
	}
	return stateAnswer{Found: &found}
}

// check says what is missing in a request, or too much.
func (r stateRequest) check() stateAnswer {
	list := r.Op == "list"
	switch {
	case list && (r.Key != nil || r.Value != nil || r.Old != nil):
		return refuse(BadRequest, "list takes prefix and after, and nothing else")
	case list:
		return stateAnswer{}
	case r.Prefix != nil || r.After != nil:
		return refuse(BadRequest, "%s takes neither prefix nor after", r.Op)
	case r.Key == nil:
		return refuse(BadRequest, "%s needs a key", r.Op)
	}
	if a := checkKey(*r.Key); a.Error != nil {
		return a
	}
	switch {
	case r.Op == "set" && r.Value == nil:
		return refuse(BadRequest, "set needs a value")
	case r.Op != "set" && r.Op != "cas" && r.Value != nil:
		return refuse(BadRequest, "%s takes no value", r.Op)
	case r.Op != "cas" && r.Old != nil:
		return refuse(BadRequest, "%s takes no old value", r.Op)
	}
	return stateAnswer{}
}

func checkKey(key string) stateAnswer {
	if key == "" || len(key) > MaxKey || !utf8.ValidString(key) {
		return refuse(BadKey, "a key has 1 to %d bytes of UTF-8, and this one has %d", MaxKey, len(key))
	}
	return stateAnswer{}
}

func (s *State) found(key string) stateAnswer {
	value := s.get(key)
	found := value != nil
	if !found {
		return stateAnswer{Found: &found}
	}
	return stateAnswer{Found: &found, Value: &value}
}

// swap sets a key if it has the old value, nil standing for none; a new value of nil deletes it. Otherwise it tells what the
// key has.
func (s *State) swap(key string, old, value []byte) stateAnswer {
	now := s.get(key)
	swapped := (now == nil) == (old == nil) && bytes.Equal(now, old)
	if !swapped {
		a := s.found(key)
		a.Swapped = &swapped
		return a
	}
	var a stateAnswer
	if value == nil {
		a = s.remove(key)
	} else {
		a = s.set(key, value)
	}
	if a.Error != nil {
		return a
	}
	a.Swapped = &swapped
	return a
}

// remove deletes a key.
func (s *State) remove(key string) stateAnswer {
	old := s.get(key)
	if old == nil {
		return stateAnswer{}
	}
	if a := s.mayChange(key); a.Error != nil {
		return a
	}
	s.size -= cost(key, old)
	s.writes[key] = nil
	return stateAnswer{}
}

// mayChange refuses to change more keys than a run may.
func (s *State) mayChange(key string) stateAnswer {
	if _, changed := s.writes[key]; !changed && len(s.writes) >= MaxWrites {
		return refuse(OverQuota, "a run may change %d keys of the state", MaxWrites)
	}
	return stateAnswer{}
}

// list gives the keys that begin with a prefix, in order.
func (s *State) list(r stateRequest) stateAnswer {
	var prefix, after string
	if r.Prefix != nil {
		prefix = *r.Prefix
	}
	if r.After != nil {
		after = *r.After
	}
	keys, more := []string{}, false
	if len(prefix) > MaxKey {
		return stateAnswer{Keys: &keys, More: &more} // no key can begin with it, and it is not kept
	}
	s.look(prefix)
	s.sort()
	from, found := slices.BinarySearch(s.order, max(prefix, after))
	if found && after >= prefix && after != "" {
		from++
	}
	for _, key := range s.order[from:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if s.get(key) == nil {
			continue
		}
		if more = len(keys) == MaxListed; more {
			break
		}
		keys = append(keys, key)
	}
	return stateAnswer{Keys: &keys, More: &more}
}

// sort puts all keys in order, once: a guest may list often.
func (s *State) sort() {
	if s.order != nil {
		return
	}
	s.order = make([]string, 0, len(s.base)+len(s.writes))
	s.order = slices.AppendSeq(s.order, maps.Keys(s.base))
	for key := range s.writes {
		if _, there := s.base[key]; !there {
			s.order = append(s.order, key)
		}
	}
	slices.Sort(s.order)
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
	if a := s.mayChange(key); a.Error != nil {
		return a
	}
	if at, there := slices.BinarySearch(s.order, key); s.order != nil && !there {
		s.order = slices.Insert(s.order, at, key)
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
