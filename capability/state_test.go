package capability

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func call(t testing.TB, s *State, request string) string {
	t.Helper()
	answer, err := s.Call(context.Background(), []byte(request))
	if err != nil || !json.Valid(answer) {
		t.Fatalf("%s: %s, %v", request, answer, err)
	}
	return string(answer)
}

func set(key string, value []byte) string {
	b, _ := json.Marshal(map[string]any{"op": "set", "key": key, "value": append([]byte{}, value...)}) // nil is no bytes, and not null
	return string(b)
}

func TestState(t *testing.T) {
	s := NewState(map[string][]byte{"a": []byte("one"), "b": {}, "c": []byte("three"), "d": nil}, 0)
	for _, test := range []struct{ request, want string }{
		{`{"op":"get","key":"a"}`, `{"found":true,"value":"b25l"}`},
		{`{"op":"get","key":"b"}`, `{"found":true,"value":""}`},
		{`{"op":"get","key":"d"}`, `{"found":true,"value":""}`},
		{`{"op":"get","key":"e"}`, `{"found":false}`},
		{`{"op":"set","key":"a","value":"dHdv"}`, `{}`},
		{`{"op":"get","key":"a"}`, `{"found":true,"value":"dHdv"}`},
		{`{"op":"set","key":"e","value":""}`, `{}`},
		{`{"op":"get","key":"e"}`, `{"found":true,"value":""}`},
		{`{"op":"delete","key":"c"}`, `{"found":true}`},
		{`{"op":"get","key":"c"}`, `{"found":false}`},
		{`{"op":"delete","key":"c"}`, `{"found":false}`},
		{`{"op":"set","key":"b","value":""}`, `{}`}, // as it was
		{`{"op":"set","key":"f","value":"eA=="}`, `{}`},
		{`{"op":"delete","key":"f"}`, `{"found":true}`}, // never was
		{`{"op":"cas","key":"g","value":"eA=="}`, `{"swapped":true}`},
		{`{"op":"cas","key":"g","value":"eQ=="}`, `{"swapped":false,"found":true,"value":"eA=="}`},
		{`{"op":"cas","key":"g","old":"eA==","value":"eQ=="}`, `{"swapped":true}`},
		{`{"op":"cas","key":"g","old":"eA==","value":"eA=="}`, `{"swapped":false,"found":true,"value":"eQ=="}`},
		{`{"op":"list"}`, `{"keys":["a","b","d","e","g"],"more":false}`},
		{`{"op":"list","prefix":"e"}`, `{"keys":["e"],"more":false}`},
		{`{"op":"list","prefix":"","after":"b"}`, `{"keys":["d","e","g"],"more":false}`},
		{`{"op":"list","prefix":"zz"}`, `{"keys":[],"more":false}`},
		{`{"op":"cas","key":"g","old":"eQ=="}`, `{"swapped":true}`}, // deletes
		{`{"op":"cas","key":"g","old":"eQ=="}`, `{"swapped":false,"found":false}`},
		{`{"op":"cas","key":"g"}`, `{"swapped":true}`},                                         // there was nothing, and is nothing
		{`{"op":"cas","key":"b","value":"eA=="}`, `{"swapped":false,"found":true,"value":""}`}, // empty is not nothing
		{`{"op":"cas","key":"b","old":"","value":""}`, `{"swapped":true}`},
	} {
		if got := call(t, s, test.request); got != test.want {
			t.Errorf("%s: %s, want %s", test.request, got, test.want)
		}
	}
	want := []Write{{Key: "a", Value: []byte("two")}, {Key: "c", Delete: true}, {Key: "e", Value: []byte{}}}
	if got := s.Writes(); !reflect.DeepEqual(got, want) {
		t.Errorf("writes %+v, want %+v", got, want)
	}
	if string(s.base["a"]) != "one" {
		t.Error("what was committed has changed")
	}
}

func TestStateRefuses(t *testing.T) {
	s := NewState(nil, 0)
	for _, test := range []struct{ request, code string }{
		{``, BadRequest},
		{`{"op":"get"`, BadRequest},
		{`[]`, BadRequest},
		{`{"op":"get","key":"a"} {}`, BadRequest},
		{`{"op":"get","key":"a","ttl":3}`, BadRequest},
		{`{"op":"get"}`, BadRequest},
		{`{"op":"get","key":"a","value":""}`, BadRequest},
		{`{"op":"set","key":"a"}`, BadRequest},
		{`{"op":"set","key":"a","value":"&"}`, BadRequest},
		{`{"op":"set","key":"a","value":[1]}`, BadRequest},
		{`{"op":"burn","key":"a"}`, UnknownOp},
		{`{"op":"set","key":"a","value":"","old":""}`, BadRequest},
		{`{"op":"delete","key":"a","value":""}`, BadRequest},
		{`{"op":"get","key":"a","prefix":""}`, BadRequest},
		{`{"op":"list","key":"a"}`, BadRequest},
		{`{"op":"cas","value":""}`, BadRequest},
		{`{"op":"cas","key":"a","old":"&"}`, BadRequest},
		{`{"key":"a"}`, UnknownOp},
		{`{"op":"get","key":""}`, BadKey},
		{`{"op":"get","key":"` + strings.Repeat("k", MaxKey+1) + `"}`, BadKey},
		{set("a", make([]byte, MaxValue+1)), ValueTooLarge},
		{strings.Repeat("[", 100_000), BadRequest},
	} {
		var a stateAnswer
		if err := json.Unmarshal([]byte(call(t, s, test.request)), &a); err != nil || a.Error == nil || a.Error.Code != test.code || a.Error.Message == "" {
			t.Errorf("%.60s: %+v %v, want %s", test.request, a.Error, err, test.code)
		}
	}
	if len(s.Writes()) > 0 {
		t.Error("a request that was refused has written")
	}
}

func TestStateQuota(t *testing.T) {
	s := NewState(nil, 1000)
	ok := func(request string) bool { return call(t, s, request) == `{}` }
	if !ok(set("a", make([]byte, 1000-KeyCost-1))) || ok(set("b", nil)) {
		t.Error("the quota is not where it is said to be")
	}
	if !ok(set("a", make([]byte, 100))) || !ok(set("b", make([]byte, 500))) {
		t.Error("the room of a smaller value was not had again")
	}
	if call(t, s, `{"op":"delete","key":"a"}`) != `{"found":true}` || !ok(set("c", make([]byte, 300))) {
		t.Error("the room of a deleted key was not had again")
	}
	over := NewState(map[string][]byte{"a": make([]byte, 100)}, 50)
	if call(t, over, set("a", make([]byte, 99))) != `{}` || call(t, over, set("b", nil)) == `{}` {
		t.Error("state over its quota can be made smaller, and not larger")
	}
}

// Whatever a guest sends, the state stays within its bounds and the answer is JSON.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"op":"get","key":"a"}`), []byte(`{"op":"set","key":"a","value":"eA=="}`))
	f.Add([]byte(`{"op":"delete","key":"old"}`), []byte(`{"op":"set","key":"old","value":"eA=="}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		s := NewState(map[string][]byte{"old": []byte("x")}, 500)
		for _, r := range [][]byte{one, two} {
			if a, err := s.Call(context.Background(), r); err != nil || !json.Valid(a) {
				t.Fatalf("%q: %q %v", r, a, err)
			}
		}
		all := map[string][]byte{"old": []byte("x")}
		for _, w := range s.Writes() {
			if delete(all, w.Key); !w.Delete {
				all[w.Key] = w.Value
			}
		}
		var size int64
		for k, v := range all {
			size += cost(k, v)
		}
		if size != s.size || size > 500 {
			t.Fatalf("size %d, counted %d", size, s.size)
		}
	})
}

func ExampleState() {
	s := NewState(map[string][]byte{"cursor": []byte("41")}, 0)
	answer, _ := s.Call(context.Background(), []byte(`{"op":"get","key":"cursor"}`))
	fmt.Println(string(answer))
	value := base64.StdEncoding.EncodeToString([]byte("42"))
	answer, _ = s.Call(context.Background(), []byte(`{"op":"set","key":"cursor","value":"`+value+`"}`))
	fmt.Println(string(answer))
	for _, w := range s.Writes() {
		fmt.Printf("%s = %s\n", w.Key, w.Value)
	}
	// Output:
	// {"found":true,"value":"NDE="}
	// {}
	// cursor = 42
}
