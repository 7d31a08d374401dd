package wcron_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are the safeguards, each taken out of the real code by one replacement, with the tests that must notice. Those tests are
// run on the mutant through go's -overlay; the source is never touched.
var mutants = []struct {
	name     string
	file     string
	old, new string
	pkg      string
	tests    string // -run
}{
	{"no fencing", "claims/sqlitestore/finalize.go",
		"	if !found {\n		a, err = t.lost", "	if !found && f.Seq < 0 {\n		a, err = t.lost",
		"./claims/sqlitestore", "TestFenced|TestConformance/Finalize/FencedAfterRecovery"},
	{"token predicate weakened", "claims/sqlitestore/finalize.go",
		"WHERE run_id = ? AND job = ? AND seq = ?`\n	deleteClaim", "WHERE run_id = ? AND job = ? AND seq <> -?`\n	deleteClaim",
		"./claims/sqlitestore", "TestTokenOfAnotherClaim|TestConformance/Finalize/WrongToken"},
	{"recovery without evidence", "claims/judge.go",
		"	case fingerprint.Alive:\n		if past {", "	case fingerprint.Alive:\n		if past || true {",
		"./claims", "TestRecoverable"},
	{"recovery without evidence, in a host", "claims/judge.go",
		"	case fingerprint.Alive:\n		if past {", "	case fingerprint.Alive:\n		if past || true {",
		"./host", "TestLiveOwnerKeepsItsRun"},
	{"no orphan grace", "claims/judge.go",
		"if now.Sub(claimed) < g.OrphanGrace {", "if now.Sub(claimed) < 0*g.OrphanGrace {",
		"./claims", "TestRecoverable"},
	{"lease not looked at", "claims/judge.go",
		"o.Deadline.IsZero() && now.Sub(seen) > g.Lease", "o.Deadline.IsZero() && now.Sub(seen) > 0*g.Lease",
		"./claims", "TestRecoverable"},
	{"oracle always dead", "claims/sqlitestore/owners.go",
		"none.Lock, none.Reason = claims.LockHeld,", "none.Lock, none.Reason = claims.LockFree,",
		"./claims/sqlitestore", "TestConformance/Owners"},
	{"oracle always alive", "claims/sqlitestore/owners.go",
		"		Lock:    claims.LockFree,", "		Lock:    claims.LockHeld,",
		"./claims/sqlitestore", "TestConformance/Owners"},
	{"a free lock proves nothing", "claims/judge.go",
		"	case LockFree:\n		return fingerprint.Dead,", "	case LockFree:\n		return fingerprint.Alive,",
		"./claims", "TestJudge"},
	{"advance after the run", "claims/sqlitestore/claim.go",
		"	job.Next = it.Next\n", "	if it.RunID == \"\" {\n		job.Next = it.Next\n	}\n",
		"./claims/sqlitestore", "TestLifeOfASlot|TestConformance/Claim"},
	{"due filter gone", "claims/sqlitestore/claim.go",
		"|| !same(job.Next, it.From) ||", "|| false && same(job.Next, it.From) ||",
		"./claims/sqlitestore", "TestConformance/Claim"},
	{"pause not looked at", "claims/sqlitestore/claim.go",
		"return j.Paused || j.Disabled", "return j.Disabled",
		"./claims/sqlitestore", "TestConformance/Claim/Paused"},
	{"no mutual exclusion", "claims/sqlitestore/claim.go",
		"if alone || open >= max(lanes, 1) {", "if alone || open >= 1000*max(lanes, 1) {",
		"./claims/sqlitestore", "TestConformance/Claim|TestOverlap"},
	{"slots that wait start out of order", "claims/sqlitestore/overlap.go",
		"it.Attempt <= 1 && waiting[0].Slot.ID != it.Slot.ID", "it.Attempt <= 1 && waiting[0].Slot.ID == \"\"",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"a queue without a limit", "claims/sqlitestore/overlap.go",
		"len(waiting) >= it.Queue", "len(waiting) >= 1000*it.Queue",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"a new slot jumps the queue", "claims/sqlitestore/overlap.go",
		"busy = busy || len(waiting) > 0", "busy = busy || len(waiting) > 1000",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"a pause does not hold the queue", "claims/sqlitestore/overlap.go",
		"if scheduled(it) && job.Paused {", "if scheduled(it) && job.Paused && it.Attempt > 1 {",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"the queue goes on after the last repeat", "claims/sqlitestore/overlap.go",
		"		if counted == 0 && err == nil {", "		if counted > 0 && err == nil {",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"replace ends nothing", "claims/sqlitestore/overlap.go",
		"WHERE job = ?1 AND cancel_at = 0`", "WHERE job = ?1 AND cancel_at < 0`",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"what is replaced goes on waiting", "claims/sqlitestore/overlap.go",
		"if !p.Slot.At.Before(it.Slot.At) {", "if !p.Slot.At.Before(it.Slot.At) || p.Attempt > 0 {",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"repeats are not counted across lanes", "claims/sqlitestore/overlap.go",
		"return open > 0 && job.Repeats+open >= it.Repeat", "return open > 0 && job.Repeats >= it.Repeat",
		"./claims/sqlitestore", "TestConformance/Overlap"},
	{"replace ends its own run", "host/overlap.go",
		"r.slot.Kind != claims.Scheduled || r.slot.At.Before(slot.At)", "r.slot.Kind != \"\" || r.slot.At.Before(slot.At)",
		"./host", "TestReplaceEndsOlderRuns"},
	{"a late poll brings back what has started", "host/watch.go",
		"was.attempt < p.Attempt || was.polls < n {", "was.attempt < p.Attempt || was.polls < n+1000 {",
		"./host", "TestLatePollBringsNothingBack"},
	{"locks of a wider policy do not count", "host/overlap.go",
		"if unlock != nil && held < lanes {", "if unlock != nil && held < 1000*lanes {",
		"./host", "TestLanesAreLocked"},
	{"claims over the lanes are no finding", "claims/audit_rules.go",
		"	return max(o.Lanes, 1)\n", "	return max(o.Lanes, 1) + 1\n",
		"./claims", "TestAuditFindsEachDamage"},
	{"no state conflict", "claims/sqlitestore/state.go",
		"|| job.stateRev <= since ||", "|| job.stateRev >= since ||",
		"./claims/sqlitestore", "TestConformance/State"},
	{"a deleted key leaves no trace", "claims/sqlitestore/state.go",
		"if n > 0 && err == nil && job.Lanes > 1 {", "if n > 0 && err == nil && job.Lanes < 1 {",
		"./claims/sqlitestore", "TestConformance/State"},
	{"the trace of a deleted key goes too early", "claims/sqlitestore/state.go",
		"coalesce((SELECT min(state_rev) FROM claims WHERE job = ?1), rev)", "rev",
		"./claims/sqlitestore", "TestConformance/State"},
	{"prefixes are not looked at", "claims/sqlitestore/state.go",
		"at > 0 && strings.HasPrefix(key, prefixes[at-1])", "at < 0",
		"./claims/sqlitestore", "TestConformance/State"},
	{"a claim of an older version is not alone", "claims/sqlitestore/claim.go",
		"if alone || open >= max(lanes, 1) {", "if open >= max(lanes, 1) {",
		"./claims/sqlitestore", "TestClaimOfAnOlderVersionIsAlone"},
	{"what a guest reads is not told", "capability/state.go",
		"{ note(s.used, key, s.listed) }", "{ note(s.used, \"\", s.listed) }",
		"./host", "TestStateConflictOfWhatWasRead"},
	{"an owner that left may claim", "claims/sqlitestore/claim.go",
		"left_at > 0`\n", "left_at > 0 AND id = ''`\n",
		"./claims/sqlitestore", "TestConformance/Owners"},
	{"a retry of a commit is fenced", "claims/sqlitestore/finalize.go",
		"if same(run.EndedAt, f.EndedAt) {", "if same(run.EndedAt, f.EndedAt) && f.Seq < 0 {",
		"./claims/sqlitestore", "TestConformance/(Finalize|Faults)"},
	{"one stale item spoils the batch", "claims/sqlitestore/commit.go",
		"	if r.err != nil {\n		if broken(r.err)", "	if r.err != nil {\n		if r.err != nil || broken(r.err)",
		"./claims/sqlitestore", "TestAFailedRequestSpoilsNothing"},
	{"the job's lock is not waited for", "host/tick.go",
		"t.lockErr != nil {\n				continue\n", "t.lockErr != nil {\n				t.unlock, t.lockErr = func() {}, nil\n",
		"./host", "TestHeldJobLock"},
	{"state of a run that is not ok", "claims/sqlitestore/finalize.go",
		"		if end.Outcome == claims.OK {\n			err = t.writeState", "		if end.Outcome != \"\" {\n			err = t.writeState",
		"./claims/sqlitestore", "TestConformance/State"},
	{"state outlives its job", "claims/sqlitestore/put.go",
		"[]string{deleteState, deleteGone}", "[]string{deleteGone}",
		"./claims/sqlitestore", "TestConformance/State"},
	{"a run of a removed job is one of the next of its name", "claims/sqlitestore/finalize.go",
		"if !job.exists() || job.Born > f.Seq {", "if !job.exists() {",
		"./claims/sqlitestore", "TestConformance/(State|Jobs|Finalize)"},
	{"not synchronous", "claims/sqlitestore/conn.go",
		"\"PRAGMA synchronous = FULL\"", "\"PRAGMA synchronous = NORMAL\"",
		"./claims/sqlitestore", "TestEveryConnectionIsSynchronous|TestLifeOfASlot"},
}

// TestMutantsAreCaught takes each safeguard out in turn. It builds the tests for each, so it runs only where WCRON_CI is 1.
func TestMutantsAreCaught(t *testing.T) {
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(root, filepath.FromSlash(m.file))
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("%s holds %q %d times: adapt the mutant to the code", m.file, m.old, n)
			}
			if os.Getenv("WCRON_CI") != "1" {
				t.Skip("set WCRON_CI=1 to run the tests on the mutant")
			}
			t.Parallel()
			said, passed := onMutant(t, path, strings.Replace(string(src), m.old, m.new, 1), m.pkg, m.tests)
			switch {
			case passed:
				t.Errorf("no test of %s in %s notices:\n%s", m.tests, m.pkg, said)
			case !strings.Contains(said, "--- FAIL"):
				t.Errorf("the mutant was not tested:\n%s", said)
			}
		})
	}
}

// onMutant runs tests with another content of one file.
func onMutant(t *testing.T, path, content, pkg, tests string) (said string, passed bool) {
	t.Helper()
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(mutated, []byte(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-timeout=3m", "-overlay="+overlay, "-run="+tests, pkg).CombinedOutput()
	return string(out), err == nil
}
