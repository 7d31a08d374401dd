package capability

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a guest asks for is not kept where it can be no key: else it would fill the host's memory, which nobody counts.
func TestStateKeepsNoLongPrefixes(t *testing.T) {
	s := NewState(map[string][]byte{"a": nil}, 0)
	for i := range 20 {
		r := fmt.Sprintf(`{"op":"list","prefix":"%d%s"}`, i, strings.Repeat("x", 100_000))
		if got := call(t, s, r); got != `{"keys":[],"more":false}` {
			t.Fatal(got)
		}
	}
	call(t, s, fmt.Sprintf(`{"op":"list","prefix":"%s"}`, strings.Repeat("k", MaxKey)))
	kept := 0
	for _, p := range s.Listed() {
		kept += len(p)
	}
	if kept != MaxKey {
		t.Errorf("%d bytes of prefixes are kept", kept)
	}
}

// A request that is not UTF-8 is refused: two keys would become one, since JSON has no other bytes.
func TestStateOfOtherBytes(t *testing.T) {
	s := NewState(nil, 0)
	for _, r := range []string{"{\"op\":\"set\",\"key\":\"\xff\",\"value\":\"\"}", "{\"op\":\"get\",\"key\":\"a\xc0\xaf\"}", "{\"op\":\"list\",\"prefix\":\"\xfe\"}"} {
		var a stateAnswer
		if err := json.Unmarshal([]byte(call(t, s, r)), &a); err != nil || a.Error == nil || a.Error.Code != BadRequest {
			t.Errorf("%q: %+v", r, a)
		}
	}
	if len(s.Used())+len(s.Writes())+len(s.Listed()) > 0 {
		t.Error("it has been kept")
	}
}

// A list costs about as much as what it gives, however large the state is: it is the host's time, and not the guest's fuel.
func TestStateListIsQuick(t *testing.T) {
	time1 := func(keys int) time.Duration {
		committed := map[string][]byte{}
		for i := range keys {
			committed[fmt.Sprintf("key-%08d", i)] = nil
		}
		s := NewState(committed, 1<<30)
		call(t, s, `{"op":"list","prefix":"a"}`) // the first one may look at all
		best := time.Hour
		for i := range 20 {
			begun := time.Now()
			call(t, s, `{"op":"list","prefix":"key-0000000"}`)
			call(t, s, set(fmt.Sprint("new", i), nil))
			call(t, s, `{"op":"delete","key":"key-00000003"}`)
			best = min(best, time.Since(begun))
		}
		return best
	}
	small, large := time1(1000), time1(200_000)
	if large > 20*small+time.Millisecond {
		t.Errorf("%s of 200,000 keys, %s of 1000", large, small)
	}
}

// Whatever was set and deleted before and behind the first list, a list gives the keys that a plain search gives.
func TestStateListAgainstSearch(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	key := func() string {
		return strings.Repeat("ab"[r.IntN(2):][:1], 1+r.IntN(3)) + strings.Repeat("b", r.IntN(3))
	}
	for range 300 {
		committed, now := map[string][]byte{}, map[string]bool{}
		for range r.IntN(6) {
			k := key()
			committed[k], now[k] = nil, true
		}
		s := NewState(committed, 0)
		for range 20 {
			switch k := key(); r.IntN(3) {
			case 0:
				call(t, s, set(k, nil))
				now[k] = true
			case 1:
				call(t, s, fmt.Sprintf(`{"op":"delete","key":%q}`, k))
				delete(now, k)
			default:
				prefix, after := k[:r.IntN(len(k)+1)], key()
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(now)), func(k string) bool { return !strings.HasPrefix(k, prefix) || k <= after })
				b, _ := json.Marshal(append([]string{}, want...))
				if got := call(t, s, fmt.Sprintf(`{"op":"list","prefix":%q,"after":%q}`, prefix, after)); got != fmt.Sprintf(`{"keys":%s,"more":false}`, b) {
					t.Fatalf("seed %d: list of %q behind %q: %s, want %s", seed, prefix, after, got, b)
				}
			}
		}
	}
}

// A run changes so many keys, whatever it does with them: its commit holds the ledger for everybody.
func TestStateChangesAreBounded(t *testing.T) {
	committed := map[string][]byte{}
	for i := range MaxWrites + 10 {
		committed[fmt.Sprintf("old-%06d", i)] = nil
	}
	s := NewState(committed, 64<<20)
	for i := range MaxWrites / 2 {
		call(t, s, set(fmt.Sprintf("new-%06d", i), []byte("x")))
		call(t, s, fmt.Sprintf(`{"op":"delete","key":"old-%06d"}`, i))
	}
	for _, r := range []string{set("one more", nil), `{"op":"delete","key":"old-005001"}`, `{"op":"cas","key":"old-005001","old":""}`, `{"op":"cas","key":"other","value":""}`} {
		if got := call(t, s, r); !strings.Contains(got, `"code":"quota"`) {
			t.Errorf("%s: %s", r, got)
		}
	}
	for r, want := range map[string]string{
		set("new-000001", []byte("y")): `{}`, `{"op":"delete","key":"new-000002"}`: `{"found":true}`, set("old-000003", nil): `{}`, `{"op":"delete","key":"never"}`: `{"found":false}`,
	} {
		if got := call(t, s, r); got != want {
			t.Errorf("%s: %s", r, got)
		}
	}
	if n := len(s.Writes()); n > MaxWrites {
		t.Errorf("%d keys are changed", n)
	}
}
