package sqlitestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
)

// A commit holds the ledger for everybody. However many keys another run has changed, and however many prefixes this one has listed, it
// takes about as long as the two lists together, and not as their product.
func TestConflictsAreFoundQuickly(t *testing.T) {
	s := open(t, t.TempDir()+"/state")
	put(t, s, "a")
	next := 0
	start := func() claims.Token {
		t.Helper()
		c := due("a", fmt.Sprintf("run-%04d", next+1), time.Duration(next)*time.Minute)
		c.Lanes = 3
		next++
		return claim(t, s, c.From, c)[0].Token
	}
	const keys, prefixes = 30_000, 10_000
	many := final(start(), claims.OK, t0)
	for i := range keys {
		many.State = append(many.State, claims.StateWrite{Key: fmt.Sprintf("key-%08d", i), Value: []byte("1")})
	}
	listed := final(start(), claims.OK, t0)
	for i := range prefixes {
		listed.Used = append(listed.Used, claims.StateUse{Key: fmt.Sprintf("key-no-%08d", i), Prefix: true}, claims.StateUse{Key: fmt.Sprintf("no-%08d", i)})
	}
	hit := final(start(), claims.OK, t0)
	hit.Used = append(append(hit.Used, listed.Used...), claims.StateUse{Key: "key-0000999", Prefix: true})
	commit := func(f claims.Final, want claims.FinalStatus) time.Duration {
		t.Helper()
		begun := time.Now()
		if got := finalize(t, s, t0, f)[0]; got.Status != want {
			t.Fatalf("%+v, want %s", got, want)
		}
		return time.Since(begun)
	}
	write := commit(many, claims.Done)
	judge := commit(listed, claims.Done)
	if judge > write+100*time.Millisecond {
		t.Errorf("to judge took %s, to write %s", judge, write)
	}
	commit(hit, claims.Conflicted)
}

// A key begins with one of many prefixes where it begins with one of the shortest.
func TestBeginsWithOne(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	word := func() string {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = "ab\xff"[r.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		var list []string
		for range r.IntN(6) {
			list = append(list, word())
		}
		few := shortest(slices.Clone(list))
		for range 10 {
			key := word() + word()
			want := slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(key, p) })
			if got := beginsWithOne(few, key); got != want {
				t.Fatalf("seed %d: %q among %q, which are %q: %v", seed, key, list, few, got)
			}
		}
	}
}
