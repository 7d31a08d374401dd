package claimstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/wcron/wcron/claims"
)

func grantScenarios() []scenario {
	return []scenario{
		{"KeptAsTheyAre", grantKept},
		{"OneApprovalAtATime", grantReplaced},
		{"NewOnesAlone", grantSince},
		{"NobodysWordGivesWay", grantAuto},
		{"AllOrNone", grantAllOrNone},
		{"OutliveTheJob", grantJobRemoved},
		{"SeenByAnotherOpening", grantAgain},
	}
}

// grants is the store's side of this part; an engine that has none says so in its Harness.
func (w *world) grants(s claims.Store) claims.Grants {
	w.Helper()
	g, ok := s.(claims.Grants)
	if !ok {
		w.Fatal("the engine keeps no grants; if that is meant, say so with Harness.NoGrants")
	}
	return g
}

// grant records decisions, each as "job digest decision", a second later than the last ones.
func (w *world) grant(texts ...string) {
	w.Helper()
	w.now = w.now.Add(time.Second)
	var list []claims.Grant
	for _, text := range texts {
		f := strings.Fields(text)
		list = append(list, claims.Grant{Job: f[0], Plugin: f[0] + ".wasm", Digest: f[1], Decision: claims.Decision(f[2]), Requested: "{}", Granted: "{}", By: "ann"})
	}
	w.must(w.grants(w.s).Grant(w.ctx, w.now, list))
}

// decided expects what is newer than a revision.
func (w *world) decided(s claims.Store, since int64, want ...string) int64 {
	w.Helper()
	all, rev, err := w.grants(s).Grants(w.ctx, since)
	w.must(err)
	var got []string
	for _, g := range all {
		got = append(got, fmt.Sprintf("%s %s %s", g.Job, g.Digest, g.Decision))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.Fatalf("since %d: %q, want %q", since, got, want)
	}
	if rev < since || len(want) == 0 && rev != since || len(want) > 0 && rev == since {
		w.Fatalf("since %d with %d decisions leads to revision %d", since, len(all), rev)
	}
	return rev
}

func grantKept(w *world) {
	w.decided(w.s, 0)
	g := claims.Grant{Job: "nobody's", Plugin: "team/x.wasm", Digest: strings.Repeat("ab", 32), Sidecar: "a = 1\n\x00é", Decision: claims.Approved,
		Requested: `{"a":"é"}`, Granted: `{}`, By: "ann"}
	w.must(w.grants(w.s).Grant(w.ctx, w.now, []claims.Grant{g}))
	all, _, err := w.grants(w.s).Grants(w.ctx, 0)
	w.must(err)
	g.At = w.now
	if len(all) != 1 || all[0] != g {
		w.Fatalf("%+v, want %+v", all, g)
	}
	w.must(w.grants(w.s).Grant(w.ctx, w.now, nil))
}

func grantReplaced(w *world) {
	w.grant("a 1 approved", "b 1 approved")
	w.grant("a 2 denied")
	w.decided(w.s, 0, "a 1 approved", "b 1 approved", "a 2 denied")
	w.grant("a 2 approved")
	w.decided(w.s, 0, "b 1 approved", "a 2 approved")
	w.grant("a 2 denied")
	w.grant("a 3 denied")
	w.decided(w.s, 0, "b 1 approved", "a 2 denied", "a 3 denied")
	w.grant("a 1 approved")
	w.decided(w.s, 0, "b 1 approved", "a 2 denied", "a 3 denied", "a 1 approved")
}

func grantSince(w *world) {
	rev := w.decided(w.s, 0)
	w.grant("a 1 approved")
	rev = w.decided(w.s, rev, "a 1 approved")
	w.decided(w.s, rev)
	w.minutely("a") // other changes are none of these
	w.decided(w.s, rev)
	w.grant("a 1 denied", "b 1 approved")
	rev = w.decided(w.s, rev, "a 1 denied", "b 1 approved")
	w.decided(w.s, rev)
}

// What a host takes for granted never goes over what a person has decided meanwhile.
func grantAuto(w *world) {
	auto := func(seen int64, digest string) {
		w.Helper()
		w.must(w.grants(w.s).Grant(w.ctx, w.now, []claims.Grant{{Job: "a", Plugin: "a.wasm", Digest: digest, Decision: claims.Approved, Requested: "{}",
			Granted: "{}", By: "nobody", Auto: true, Seen: seen}}))
	}
	none := w.decided(w.s, 0)
	w.grant("b 1 denied", "a 1 denied")
	auto(none, "1")
	denied := w.decided(w.s, 0, "b 1 denied", "a 1 denied")
	auto(denied, "2")
	w.decided(w.s, 0, "b 1 denied", "a 1 denied", "a 2 approved")
	w.grant("a 3 approved")
	auto(denied, "2")
	w.decided(w.s, 0, "b 1 denied", "a 1 denied", "a 3 approved")
}

func grantAllOrNone(w *world) {
	w.grant("a 1 approved")
	err := w.grants(w.s).Grant(w.ctx, w.now, []claims.Grant{{Job: "a", Plugin: "a.wasm", Digest: "1", Decision: claims.Denied}, {Job: "b", Decision: "perhaps"}})
	if err == nil {
		w.Fatal("a decision that there is not was recorded")
	}
	w.decided(w.s, 0, "a 1 approved")
}

func grantJobRemoved(w *world) {
	w.minutely("a")
	w.grant("a 1 approved")
	w.remove("a")
	w.decided(w.s, 0, "a 1 approved")
}

func grantAgain(w *world) {
	other := w.again()
	w.grant("a 1 approved")
	w.decided(other, 0, "a 1 approved")
}
