package sqlitestore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/wcron/wcron/claims"
)

// fact is what a caller was told: a run is claimed (outcome running), or was closed; or a manual request stands.
type fact struct {
	run     string
	outcome claims.Outcome
	slot    string
}

// TestPowerLoss cuts the power at each sync, with unsynced writes dropped, kept, reordered and torn: the store opens, its audit is
// clean, and all that a caller was told is there.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	rng := powerSeed(t)
	d, first := recorded(t, "FULL")
	cuts, lost := replay(t, rng, d.ops, first, "")
	t.Logf("%d operations, %d power cuts, %d broke something", len(d.ops), cuts, len(lost))
	if cuts < 100 {
		t.Errorf("only %d power cuts: the workload is too small to prove anything", cuts)
	}
	for _, l := range lost {
		t.Error(l)
	}
}

// TestPowerLossNeedsFull shows that the test can fail: with synchronous = NORMAL the power takes acknowledged commits away.
func TestPowerLossNeedsFull(t *testing.T) {
	t.Parallel()
	d, first := recorded(t, "NORMAL")
	cuts, lost := replay(t, powerSeed(t), d.ops, first, "was acknowledged")
	t.Logf("%d operations, %d power cuts, %d lost an acknowledged commit", len(d.ops), cuts, len(lost))
	if len(lost) == 0 {
		t.Error("no acknowledged commit was lost with synchronous = NORMAL: this test would not notice one")
	}
}

func powerSeed(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("POWER_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("POWER_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// recorded plays a workload on a recording disk, and returns what was done to it and the files as they were before. A new store is
// built whole, synced and renamed into its place, so the record begins with one.
func recorded(t *testing.T, level string) (*disk, *platter) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Open(t.Context(), Config{Dir: dir})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := &platter{synced: map[string][]byte{}, since: map[string][]operation{}}
	for _, name := range []string{dbFile, walFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		first.synced[name] = b
	}
	d := newDisk()
	vfs.Register(t.Name(), d)
	t.Cleanup(func() { vfs.Unregister(t.Name()) })
	s, err = Open(t.Context(), Config{Dir: dir, vfs: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	// Before the first request the committer's connection is idle. A log of a few pages is written back often.
	for _, q := range []string{"PRAGMA synchronous = " + level, "PRAGMA wal_autocheckpoint = 24"} {
		if err := s.w.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	workload(t, s, d)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d, first
}

// workload is some minutes of four jobs: claims, shared commits with output, an orphan with another attempt, manual runs.
func workload(t *testing.T, s *Store, d *disk) {
	t.Helper()
	names := []string{"a", "b", "c", "d"}
	put(t, s, names...)
	minutes := 2
	if os.Getenv("WCRON_CI") == "1" {
		minutes = 12
	}
	ack := func(f fact) { d.record(operation{kind: 'a', ack: f}) }
	for m := range minutes {
		now := time.Duration(m) * time.Minute
		var items []claims.Claim
		for _, n := range names {
			items = append(items, due(n, fmt.Sprintf("run-%s-%04d", n, m), now))
		}
		won := claim(t, s, at(now), items...)
		for _, w := range won {
			ack(fact{run: w.Token.RunID, outcome: claims.Running})
		}
		var wg sync.WaitGroup
		for i, w := range won {
			wg.Go(func() {
				f := final(w.Token, claims.OK, at(now+time.Second))
				out := strings.Repeat(fmt.Sprintf("%s says %d\n", w.Token.RunID, i), 1+(m*97+i*389)%400)
				sum := sha256.Sum256([]byte(out))
				f.Output = claims.Output{Inline: []byte(out), Bytes: int64(len(out)), Digest: hex.EncodeToString(sum[:])}
				if i == 3 {
					f.Outcome, f.Output, f.Reason = claims.Orphaned, claims.Output{}, "the owner is dead"
					f.Retry = at(now + 2*time.Second)
				}
				if got, err := s.Finalize(t.Context(), at(now+time.Second), []claims.Final{f}); err != nil || got[0].Status != claims.Done {
					t.Errorf("finalize: %v %v", got, err)
					return
				}
				ack(fact{run: f.RunID, outcome: f.Outcome})
			})
		}
		wg.Wait()
		id := fmt.Sprint("m", m)
		if err := s.Request(t.Context(), at(now+2*time.Second), claims.Request{Kind: claims.Trigger, Job: "a", ID: id, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		pending, err := s.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range pending {
			ack(fact{slot: p.Slot.ID})
			c := claims.Claim{Slot: p.Slot, Attempt: p.Attempt, RunID: fmt.Sprintf("run-p%d-%04d", i, m), Deadline: at(now + time.Hour)}
			tok := claim(t, s, at(now+3*time.Second), c)[0].Token
			ack(fact{run: c.RunID, outcome: claims.Running})
			finalize(t, s, at(now+4*time.Second), final(tok, claims.OK, at(now+4*time.Second)))
			ack(fact{run: c.RunID, outcome: claims.OK})
		}
	}
}

// replay cuts the power before each sync, and before the first write after it. It returns how often, and what was wrong; only
// findings with the given text count.
func replay(t *testing.T, rng *rand.Rand, ops []operation, p *platter, only string) (cuts int, wrong []string) {
	t.Helper()
	fates := []struct {
		name string
		fate fate
	}{{"dropped", dropped}, {"kept", kept0}, {"reordered", shuffled}, {"torn", torn}}
	var told []fact
	synced := false // since the last write
	for i, op := range ops {
		if op.kind == 's' || op.kind != 'a' && synced {
			for _, f := range fates {
				cuts++
				for _, w := range judge(t, p.after(rng, f.fate), told) {
					if strings.Contains(w, only) {
						wrong = append(wrong, fmt.Sprintf("power cut before operation %d, unsynced writes %s: %s", i, f.name, w))
					}
				}
			}
		}
		switch op.kind {
		case 'a':
			told = append(told, op.ack)
		case 's':
			synced = true
		default:
			synced = false
		}
		p.do(op)
		if len(wrong) > 20 {
			break // enough to see what is wrong
		}
	}
	return cuts, wrong
}

// judge opens what is left of a store.
func judge(t *testing.T, files map[string][]byte, told []fact) (wrong []string) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "cut")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, fileMode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		return []string{fmt.Sprintf("the store does not open: %v", err)}
	}
	defer func() { _ = s.Close() }()
	found, err := claims.Audit(t.Context(), s, claims.AuditOptions{
		Now: t0, CheckOutput: true, Occurrences: func(claims.Job) (func(time.Time) time.Time, error) {
			return func(after time.Time) time.Time { return after.Truncate(time.Minute).Add(time.Minute) }, nil
		},
	})
	if err != nil {
		return []string{fmt.Sprintf("audit: %v", err)}
	}
	for _, f := range found {
		wrong = append(wrong, fmt.Sprintf("audit: %+v", f))
	}
	return append(wrong, missing(t, s, told)...)
}

// missing lists what callers were told and the store does not know.
func missing(t *testing.T, s *Store, told []fact) (wrong []string) {
	have := map[string]claims.Outcome{}
	for _, r := range runs(t, s, claims.RunQuery{Limit: -1}) {
		have[r.RunID] = r.Outcome
	}
	rows, err := s.Slots(t.Context(), claims.SlotQuery{Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range told {
		switch {
		case f.slot != "":
			if !slices.ContainsFunc(rows, func(r claims.SlotRow) bool { return r.Slot.ID == f.slot }) {
				wrong = append(wrong, fmt.Sprintf("slot %s was acknowledged and is not there", f.slot))
			}
		case have[f.run] == "":
			wrong = append(wrong, fmt.Sprintf("run %s was acknowledged as %s and is not there", f.run, f.outcome))
		case f.outcome != claims.Running && have[f.run] != f.outcome:
			wrong = append(wrong, fmt.Sprintf("run %s was acknowledged as %s and is %s", f.run, f.outcome, have[f.run]))
		}
	}
	return wrong
}
