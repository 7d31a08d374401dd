package claimstest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/wcron/wcron/claims"
)

// Harness says how the suite comes by stores. The suite closes each one.
type Harness struct {
	// Open makes a new, empty store.
	Open func(t *testing.T) claims.Store
	// Again opens the store behind s once more, as another process would: with locks of its own. nil: the scenarios that need
	// it are skipped.
	Again func(t *testing.T, s claims.Store) claims.Store
	// Spool is the folder for output files that a commit of s takes over. nil: a temporary folder.
	Spool func(t *testing.T, s claims.Store) string
	// NoGrants is for engines that are no claims.Grants, on purpose: the suite leaves that part out.
	NoGrants bool
}

// Run runs the suite with stores that are opened once each.
func Run(t *testing.T, open func(t *testing.T) claims.Store) {
	Harness{Open: open}.Run(t)
}

// Run runs the suite: one subtest for each scenario.
func (h Harness) Run(t *testing.T) {
	groups := []struct {
		name      string
		scenarios []scenario
	}{
		{"Jobs", jobScenarios()},
		{"Claim", claimScenarios()},
		{"Finalize", finalScenarios()},
		{"State", stateScenarios()},
		{"Grants", grantScenarios()},
		{"Pending", pendingScenarios()},
		{"Overlap", overlapScenarios()},
		{"Request", requestScenarios()},
		{"Policy", policyScenarios()},
		{"Read", readScenarios()},
		{"Output", outputScenarios()},
		{"Prune", pruneScenarios()},
		{"Owners", ownerScenarios()},
		{"Race", raceScenarios()},
		{"Store", storeScenarios()},
	}
	for _, g := range groups {
		if g.name == "Grants" && h.NoGrants {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			for _, s := range g.scenarios {
				t.Run(s.name, func(t *testing.T) {
					w := newWorld(t, h)
					s.play(w)
					w.audit()
				})
			}
		})
	}
	t.Run("Model", func(t *testing.T) { playModel(t, h) })
	t.Run("Faults", func(t *testing.T) { playFaults(t, h) })
	t.Run("Deaths", func(t *testing.T) { playDeaths(t, h) })
}

type scenario struct {
	name string
	play func(w *world)
}

// random makes the generator of a scenario and prints its seed.
func random(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("CLAIMSTEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("CLAIMSTEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func steps() int {
	if n, err := strconv.Atoi(os.Getenv("CLAIMSTEST_STEPS")); err == nil && n > 0 {
		return n
	}
	if os.Getenv("WCRON_CI") == "1" {
		return 10_000
	}
	return 1000
}
