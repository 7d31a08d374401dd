package capability

import (
	"encoding/json"
	"fmt"
	"testing"
)

// A list that is longer than an answer is read on behind its last key.
func TestStateListInParts(t *testing.T) {
	committed := map[string][]byte{}
	for i := range 2*MaxListed + 5 {
		committed[fmt.Sprintf("k%06d", i)] = nil
	}
	committed["other"] = nil
	s := NewState(committed, 1<<20)
	call(t, s, `{"op":"delete","key":"k000003"}`)
	after, seen, parts := "", 0, 0
	for more := true; more; parts++ {
		var a struct {
			Keys []string
			More bool
		}
		if err := json.Unmarshal([]byte(call(t, s, fmt.Sprintf(`{"op":"list","prefix":"k","after":%q}`, after))), &a); err != nil {
			t.Fatal(err)
		}
		for _, k := range a.Keys {
			if k <= after || k == "k000003" {
				t.Fatalf("%q behind %q", k, after)
			}
			after = k
		}
		seen, more = seen+len(a.Keys), a.More
	}
	if seen != 2*MaxListed+4 || parts != 3 {
		t.Errorf("%d keys in %d parts", seen, parts)
	}
}

// What a run used of its state is told key by key, or all of it where that is too much.
func TestStateUsed(t *testing.T) {
	s := NewState(map[string][]byte{"a": nil}, 0)
	for _, r := range []string{`{"op":"get","key":"b"}`, `{"op":"get","key":""}`, `{"op":"set","key":"a","value":""}`, `{"op":"list","prefix":"p"}`, `{"op":"delete","key":"c"}`} {
		call(t, s, r)
	}
	if used, listed := fmt.Sprint(s.Used()), fmt.Sprint(s.Listed()); used != "[a b c]" || listed != "[p]" {
		t.Errorf("used %s, listed %s", used, listed)
	}
	for i := range maxUsed + 10 {
		call(t, s, fmt.Sprintf(`{"op":"get","key":"k%d"}`, i))
	}
	if used, listed := s.Used(), s.Listed(); len(used) > 0 || fmt.Sprint(listed) != "[ p]" {
		t.Errorf("used %d keys, listed %q", len(used), listed)
	}
}
