package host

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/memstore"
	"github.com/wcron/wcron/internal/guest"
)

// fair is the world of a real host where nothing is left to chance.
type fair struct{ earth }

func (fair) random() float64 { return 0.375 }

var runIDs = regexp.MustCompile(`\b(sim-[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27})\b`)

// happenings keeps what happened to slots, in lines that do not name runs: the order of what happens in one millisecond is left to
// chance in a real host.
type happenings struct{ lines []string }

func (t *happenings) add(e Event) {
	switch e.Kind {
	case Started, EndedRun, SlotSkipped, SlotMissed, SlotQueued, JobDisabled, JobPaused, LateResult, TickFailed, Recovered:
	default:
		return
	}
	code := int64(-1)
	if e.ExitCode != nil {
		code = *e.ExitCode
	}
	t.lines = append(t.lines, fmt.Sprintf("%s %s %s %s attempt %d late %s took %s %s/%s exit %d count %d until %s retry %s %v by %q jitter %s %v %s",
		e.Time.Format(time.RFC3339Nano), e.Kind, e.Job, e.Slot.ID, e.Attempt, e.Lateness, e.Duration, e.Outcome, e.Cause, code, e.Count,
		stampOf(e.Until), stampOf(e.Retry), e.Err, e.Policy, e.Jitter, e.Late, runIDs.ReplaceAllString(strings.SplitN(e.Reason, "\n", 2)[0], "RUN")))
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// played are jobs with guests whose time and end are known beforehand.
type played struct {
	Job
	end func(SimulatedRun) SimulatedEnd
}

func takes(d time.Duration) func(SimulatedRun) SimulatedEnd {
	return func(SimulatedRun) SimulatedEnd { return SimulatedEnd{Took: d} }
}

func repertoire() []played {
	sleep := func(name, schedule string, d time.Duration) played {
		return played{Job{Name: name, Module: Bytes(guest.Sleep(d)), Schedule: schedule}, takes(d)}
	}
	exits := func(name, schedule string, code uint32) played {
		return played{Job{Name: name, Module: Bytes(guest.Exit(code)), Schedule: schedule}, func(SimulatedRun) SimulatedEnd { return SimulatedEnd{ExitCode: code} }}
	}
	slow := sleep("slow", "*/6 * * * *", 7*time.Minute+251*time.Millisecond)
	slow.Timeout = time.Hour
	stuck := sleep("stuck", "*/17 * * * *", 20*time.Hour)
	stuck.Timeout = 45*time.Second + 7*time.Millisecond
	flaky := played{Job{Name: "flaky", Module: Bytes(guest.FailUntil(3)), Schedule: "3 * * * *"}, func(r SimulatedRun) SimulatedEnd {
		if r.Attempt < 3 {
			return SimulatedEnd{ExitCode: 1}
		}
		return SimulatedEnd{}
	}}
	flaky.Retry = claims.RetryPolicy{Retries: 2, Min: 10 * time.Second, Max: time.Minute, On: []string{"failed", "shutdown"}}
	giving := exits("giving-up", "11 */3 * * *", 75)
	giving.Retry = claims.RetryPolicy{Retries: 1, Min: 20 * time.Minute, Max: 20 * time.Minute}
	often := sleep("often", "*/5 * * * *", 61*time.Second+17*time.Millisecond)
	often.Timeout = 2 * time.Minute
	night := sleep("night", "30 2 * * *", 3*time.Second+1*time.Millisecond)
	night.Timezone, night.Missed = "Europe/Berlin", claims.MissedSkip
	thrice := sleep("thrice", "@every 5h", time.Second)
	thrice.Repeat = 3
	drop := sleep("drop", "*/20 * * * *", 2*time.Second+13*time.Millisecond)
	drop.Missed = claims.MissedSkip
	queue := sleep("queue", "*/3 * * * *", 4*time.Minute+41*time.Millisecond)
	queue.Timeout, queue.Overlap = time.Hour, claims.Overlap{Policy: claims.OverlapQueue, QueueLimit: 2}
	replace := sleep("replace", "*/20 * * * *", 31*time.Minute+43*time.Millisecond)
	replace.Timeout, replace.Overlap = time.Hour, claims.Overlap{Policy: claims.OverlapReplace}
	allow := sleep("allow", "*/7 * * * *", 18*time.Minute+47*time.Millisecond)
	allow.Timeout, allow.Overlap = time.Hour, claims.Overlap{Policy: claims.OverlapAllow, MaxConcurrent: 2}
	jitter := sleep("jitter", "*/15 * * * *", 3*time.Second+53*time.Millisecond)
	jitter.Jitter = 5 * time.Minute
	all := sleep("all", "*/30 * * * *", 2*time.Second+59*time.Millisecond)
	all.Missed, all.MissedLimit = claims.MissedAll, 4
	late := sleep("late", "*/15 * * * *", time.Second+61*time.Millisecond)
	late.StartingDeadline = 20 * time.Second
	pausing := exits("pausing", "13 * * * *", 1)
	pausing.PauseAfter = 7
	return []played{
		queue, replace, allow, jitter, all, late, pausing, sleep("boot", "@reboot", time.Second), sleep("list", "0 7 * * *; 30 8 * * *", time.Second),
		slow, stuck, flaky, giving, night, thrice, drop, exits("disabled", "41 */8 * * *", 78), exits("bad", "@hourly", 1),
		often, sleep("herd", "*/10 * * * *", 19*time.Second+29*time.Millisecond),
		sleep("last", "*/10 * * * *", 31*time.Second+3*time.Millisecond),
	}
}

// The same jobs, real and played, come to the same at the same times, over days with a change of clocks: with too few run slots, and
// through stops that cut runs short and leave a backlog. (Not both at once: whose module is compiled first after a stop, and so gets
// the first run slot, is left to chance in a real host.)
func TestSimulateTellsWhatTheHostDoes(t *testing.T) {
	length := 30 * time.Hour
	if os.Getenv("WCRON_CI") != "" {
		length *= 6
	}
	// A bubble begins on 1 January 2000, UTC; Berlin's clock went forward on 26 March.
	from := time.Date(2000, 3, 25, 0, 0, 0, 0, time.UTC)
	at := func(h, m, s int) time.Time {
		return from.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
	}
	t.Run("few run slots", func(t *testing.T) {
		t.Parallel()
		simulated(t, Simulation{From: from, To: from.Add(length / 3), MaxRuns: 3},
			"started", "ended", "skipped", "job_disabled", "timeout", "late 19.029s", "retry 2000", "queued", "replaced", "job_paused", "starting_deadline")
	})
	t.Run("stops", func(t *testing.T) {
		t.Parallel()
		simulated(t, Simulation{
			From: from, To: from.Add(length), DrainTimeout: 10 * time.Second,
			Down: []Span{{at(9, 6, 10), at(13, 31, 0)}, {at(20, 17, 2), at(20, 17, 30)}, {at(25, 20, 5), at(28, 20, 30)}},
		}, "started", "ended", "skipped", "missed", "shutdown", "count 3", "retry 2000", "start-simulated-2", "missed_limit", "catch_up", "jitter 1m")
	})
}

// simulated plays the repertoire, runs it as well, and expects the same of both, with lines in which each of these words stands.
func simulated(t *testing.T, sim Simulation, words ...string) {
	var jobs []Job
	ends := map[string]func(SimulatedRun) SimulatedEnd{}
	for _, p := range repertoire() {
		jobs = append(jobs, p.Job)
		ends[p.Name] = p.end
	}
	var told happenings
	sim.Jobs, sim.Store, sim.OnEvent = jobs, memstore.New(memstore.Config{}), told.add
	sim.chance = fair{}.random
	sim.Guest = func(r SimulatedRun) SimulatedEnd { return ends[r.Job](r) }
	if err := Simulate(t.Context(), sim); err != nil {
		t.Fatal(err)
	}
	var really happenings
	inBubble(t, func(t *testing.T) { really = perform(t, sim) })
	compare(t, told.lines, really.lines, words)
	audited(t, sim)
}

// perform runs real hosts on a real ledger through the times of a simulation.
func perform(t *testing.T, sim Simulation) (told happenings) {
	time.Sleep(time.Until(sim.From))
	dir := privateDir(t)
	lives := 0
	live := func(until time.Time, drain time.Duration) {
		lives++
		store := openStore(t, dir)
		defer store.Close()
		h, err := New(Config{
			Store: store, Jobs: NewJobs(sim.Jobs...), MaxRuns: sim.MaxRuns, DrainTimeout: drain, OnEvent: told.add, Instance: fmt.Sprintf("simulated-%d", lives),
			rhythm: rhythm{wait: 10 * time.Second, poll: time.Hour, renew: time.Hour, recover: time.Hour},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.world = fair{earth{h.engine}}
		ctx, cancel := context.WithDeadline(context.Background(), until)
		defer cancel()
		if err := h.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range sim.Down {
		live(d.From, sim.DrainTimeout)
		time.Sleep(time.Until(d.To))
	}
	live(sim.To.Add(time.Millisecond), time.Hour) // what is due at To still starts
	return told
}

func compare(t *testing.T, told, really, words []string) {
	t.Helper()
	slices.Sort(told)
	slices.Sort(really)
	t.Logf("%d events", len(told))
	for _, word := range words {
		if !slices.ContainsFunc(told, func(l string) bool { return strings.Contains(l, word) }) {
			t.Errorf("nothing is %q: the jobs do not try what they should", word)
		}
	}
	if slices.Equal(told, really) {
		return
	}
	shown := 0
	only := func(sign string, a, b []string) {
		for _, l := range a {
			if _, ok := slices.BinarySearch(b, l); !ok && shown < 30 {
				t.Errorf("%s %s", sign, l)
				shown++
			}
		}
	}
	only("simulated alone:", told, really)
	only("really alone:   ", really, told)
	t.Errorf("%d events simulated, %d in truth", len(told), len(really))
}

// audited holds the ledger that a simulation leaves to the invariants.
func audited(t *testing.T, sim Simulation) {
	t.Helper()
	found, err := claims.Audit(t.Context(), sim.Store, claims.AuditOptions{
		Now: sim.To, Occurrences: Occurrences, Grace: 12 * time.Hour, // what waits for a run slot is no finding
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("audit: %+v", f)
	}
}
