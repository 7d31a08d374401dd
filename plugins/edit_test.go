package plugins

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/internal/guest"
)

func scheduled(text string) config.Job { return config.Job{Schedule: &text} }

func TestJobFilesAreWrittenReadAndRemoved(t *testing.T) {
	w := newWorld(t, "[jobs.fixed]\nplugin = \"a.wasm\"\n")
	w.write("plugins/a.wasm", guest.Greet("x"))
	w.must(WriteJob(w.host, "a", scheduled("@daily"), Create, ""))
	if j := w.job(w.check(), "a"); j.State != Active || j.Origin["schedule"] != "jobs.d/a.toml" {
		t.Errorf("the written job is %v, its schedule from %q", j.State, j.Origin["schedule"])
	}
	job, digest, err := ReadJob(w.host, "a")
	if err != nil || *job.Schedule != "@daily" {
		t.Fatalf("ReadJob: %+v, %v", job, err)
	}
	w.must(WriteJob(w.host, "a", scheduled("@hourly"), Replace, digest))
	if err := WriteJob(w.host, "a", scheduled("@weekly"), Replace, digest); !errors.Is(err, ErrEdited) {
		t.Errorf("Replace of an old version: %v, want ErrEdited", err)
	}
	if err := RemoveJob(w.host, "a", digest); !errors.Is(err, ErrEdited) {
		t.Errorf("Remove of an old version: %v, want ErrEdited", err)
	}
	if err := WriteJob(w.host, "a", scheduled("@weekly"), Create, ""); !errors.Is(err, ErrExists) {
		t.Errorf("Create of one that is there: %v, want ErrExists", err)
	}
	if err := WriteJob(w.host, "A", scheduled("@weekly"), Create, ""); !errors.Is(err, ErrExists) {
		t.Errorf("Create in another case: %v, want ErrExists", err)
	}
	if err := WriteJob(w.host, "fixed", scheduled("@weekly"), Create, ""); !errors.Is(err, ErrHostFile) {
		t.Errorf("Create of a job of the host file: %v, want ErrHostFile", err)
	}
	if err := WriteJob(w.host, "../a", scheduled("@weekly"), Create, ""); !errors.Is(err, config.ErrName) {
		t.Errorf("Create of a path: %v, want config.ErrName", err)
	}
	if err := WriteJob(w.host, "none", scheduled("@weekly"), Replace, digest); !errors.Is(err, ErrNoFile) {
		t.Errorf("Replace of nothing: %v, want ErrNoFile", err)
	}
	zone := "Nowhere/At all"
	if err := WriteJob(w.host, "bad", config.Job{Timezone: &zone}, Create, ""); err == nil {
		t.Error("a job that would be refused was written")
	}
	job, digest, err = ReadJob(w.host, "a")
	if err != nil || *job.Schedule != "@hourly" {
		t.Errorf("after all that: %+v, %v", job, err)
	}
	w.must(RemoveJob(w.host, "a", digest))
	if _, _, err := ReadJob(w.host, "a"); !errors.Is(err, ErrNoFile) {
		t.Errorf("ReadJob after Remove: %v, want ErrNoFile", err)
	}
	if left, _ := filepath.Glob(w.path("jobs.d/" + tempPrefix + "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBrokenJobFileCanBeReplacedAndRemoved(t *testing.T) {
	w := newWorld(t, "")
	w.text("jobs.d/a.toml", "schedule = ")
	_, digest, err := ReadJob(w.host, "a")
	var refused *config.Error
	if !errors.As(err, &refused) || digest == "" {
		t.Fatalf("ReadJob: digest %q, %v", digest, err)
	}
	if err := WriteJob(w.host, "b", scheduled("@daily"), Create, ""); !errors.As(err, &refused) {
		t.Errorf("Create beside a broken file: %v, want a *config.Error", err)
	}
	w.must(WriteJob(w.host, "a", scheduled("@daily"), Replace, digest))
	w.text("jobs.d/a.toml", "schedule = ")
	w.must(RemoveJob(w.host, "a", digest))
	w.must(WriteJob(w.host, "b", scheduled("@daily"), Create, ""))
}

// Of many editors that start from the same version, exactly one wins, again and again.
func TestEditorsNeverLoseToEachOther(t *testing.T) {
	w := newWorld(t, "")
	race := func(do func(i int) error) (winner int) {
		t.Helper()
		winner = -1
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				err := do(i)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && winner < 0:
					winner = i
				case err == nil:
					t.Errorf("editors %d and %d both won", winner, i)
				case !errors.Is(err, ErrEdited) && !errors.Is(err, ErrExists):
					t.Errorf("editor %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if winner < 0 {
			t.Fatal("nobody won")
		}
		return winner
	}
	wrote := func(i int) {
		t.Helper()
		job, _, err := ReadJob(w.host, "a")
		if err != nil || *job.Schedule != fmt.Sprintf("@every %ds", i+1) {
			t.Errorf("editor %d won, but the file says %v, %v", i, job.Schedule, err)
		}
	}
	wrote(race(func(i int) error {
		return WriteJob(w.host, "a", scheduled(fmt.Sprintf("@every %ds", i+1)), Create, "")
	}))
	for round := range 5 {
		// The text differs in each round, so that no version comes back.
		at := round * 8
		_, digest, err := ReadJob(w.host, "a")
		w.must(err)
		i := race(func(i int) error {
			return WriteJob(w.host, "a", scheduled(fmt.Sprintf("@every %ds", 100+at+i)), Replace, digest)
		})
		wrote(99 + at + i)
	}
}

func TestEditorWaitsForTheLockWithABound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(os.Mkdir(w.path("jobs.d"), 0o700))
	unlock, ok, err := tryLock(w.path("jobs.d/" + lockName))
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := WriteJob(w.host, "a", scheduled("@daily"), Create, ""); !errors.Is(err, ErrEditing) {
		t.Errorf("with the lock held: %v, want ErrEditing", err)
	}
	unlock()
	w.must(WriteJob(w.host, "a", scheduled("@daily"), Create, ""))
}
