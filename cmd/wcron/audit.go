package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
	"github.com/wcron/wcron/host"
)

type auditCmd struct {
	Output bool `default:"true" negatable:"" help:"Read every output back and compare its digest."`
	Repair bool `help:"Mend what is provably safe, and say what was done."`
}

// Help implements kong.HelpProvider.
func (*auditCmd) Help() string {
	return "Without --repair it only reads, and may run beside hosts at work either way. --repair closes runs that no claim owns and slots that nothing will " +
		"close, and drops claims of runs that have ended and state of jobs that do not exist. Nothing runs again by it, and no result is dropped; everything " +
		"else is left, since the ledger alone does not tell what is right. What became due since the last host ended is left to the next one, and is no finding.\n\n" +
		"Exit codes: 0 nothing is wrong (any more), 1 something is, 2 usage or configuration, 3 the ledger could not be read."
}

// audited is the answer for programs.
type audited struct {
	OK       bool            `json:"ok"`
	Findings []ledgerFinding `json:"findings"`
	Repaired []mended        `json:"repaired,omitempty"` // with --repair: what was done about what was found before
}

// mended is a finding that was mended.
type mended struct {
	ledgerFinding
	Did string `json:"did"`
}

// ledgerFinding is a claims.Finding with all fields present.
type ledgerFinding struct {
	Code   string  `json:"code"`
	Job    string  `json:"job"`
	Slot   *string `json:"slot"`
	RunID  *string `json:"run_id"`
	What   string  `json:"what"`
	Remedy string  `json:"remedy"`
}

func findingsOf(found []claims.Finding) []ledgerFinding {
	out := make([]ledgerFinding, len(found))
	for i, f := range found {
		out[i] = ledgerFinding{Code: f.Code, Job: f.Job, What: f.What, Remedy: f.Remedy}
		if f.Slot != "" {
			out[i].Slot = &found[i].Slot
		}
		if f.RunID != "" {
			out[i].RunID = &found[i].RunID
		}
	}
	return out
}

// Run checks the ledger.
func (c *auditCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		defer a.slow("reading the ledger")()
		starts, err := startsOf(ctx, o)
		if err != nil {
			return err
		}
		look := func() ([]claims.Finding, error) {
			return claims.Audit(ctx, o.store, claims.AuditOptions{
				Now:         a.now(),
				Occurrences: host.Occurrences,
				Starts:      starts,
				Alive:       func(owner claims.Owner) (fingerprint.Verdict, string) { return judge(ctx, o, owner) },
				CheckOutput: c.Output,
			})
		}
		found, err := look()
		if err != nil {
			return err
		}
		var did []claims.Repaired
		if c.Repair && len(found) > 0 {
			if did, err = o.store.Repair(ctx, a.now().UTC().Truncate(time.Millisecond), found); err != nil {
				return err
			}
			did = slices.DeleteFunc(did, func(r claims.Repaired) bool { return r.Did == "" })
			if found, err = look(); err != nil {
				return err
			}
		}
		left := 0
		if len(o.status.Hosts) == 0 {
			found = slices.DeleteFunc(found, func(f claims.Finding) bool {
				if f.Code == "overdue" {
					left++
				}
				return f.Code == "overdue"
			})
		}
		return c.show(a, o, found, did, left)
	})
}

// startsOf tells when what is due may start: a job with jitter, or one that waits for its turn after a stop, is not overdue before that.
func startsOf(ctx context.Context, o *operator) (func(claims.Job) time.Time, error) {
	jobs, err := o.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	at := map[string]time.Time{}
	for _, j := range jobs {
		if j.StartsAt != nil {
			at[j.Job] = *j.StartsAt
		}
	}
	return func(j claims.Job) time.Time { return at[j.Name] }, nil
}

// judge gives the owner's lock back at once.
func judge(ctx context.Context, o *operator, owner claims.Owner) (fingerprint.Verdict, string) {
	p, err := o.store.Probe(ctx, owner.ID)
	if err != nil {
		return fingerprint.Unknown, err.Error()
	}
	p.Release()
	return claims.JudgeOwner(owner, p)
}

func (c *auditCmd) show(a *app, o *operator, found []claims.Finding, did []claims.Repaired, left int) error {
	var bad error
	if len(found) > 0 {
		bad = exitError{exitBad, nil}
	}
	if a.json {
		repaired := make([]mended, len(did))
		for i, r := range did {
			repaired[i] = mended{findingsOf([]claims.Finding{r.Finding})[0], r.Did}
		}
		if err := a.emit(audited{OK: len(found) == 0, Findings: findingsOf(found), Repaired: repaired}); err != nil {
			return err
		}
		return bad
	}
	for _, r := range did {
		fmt.Fprintf(a.stdout, "%s  %s: %s; it was: %s\n", a.paint(green, "repaired"), subject(r.Finding), r.Did, printable(r.Finding.What))
	}
	for _, f := range found {
		fmt.Fprintf(a.stdout, "%s  %s: %s; %s\n", a.paint(red, f.Code), subject(f), printable(f.What), f.Remedy)
	}
	if left > 0 {
		fmt.Fprintf(a.stdout, "no host is running: what is due at %s is left to the next one\n", plural(int64(left), "job"))
	}
	if len(found) > 0 {
		fmt.Fprintf(a.stdout, "%s in %s\n", plural(int64(len(found)), "finding"), o.place.state)
		return bad
	}
	fmt.Fprintf(a.stdout, "%s: every slot has its verdict, and every claim its owner\n", a.paint(green, "ok"))
	return nil
}

func subject(f claims.Finding) string {
	s := "job " + f.Job
	if f.Slot != "" {
		s = "slot " + f.Slot
	}
	if f.RunID != "" {
		s += ", run " + f.RunID
	}
	return s
}
