package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/fingerprint"
	"github.com/wcron/wcron/host"
)

type auditCmd struct {
	Output bool `default:"true" negatable:"" help:"Read every output back and compare its digest."`
}

// Help implements kong.HelpProvider.
func (*auditCmd) Help() string {
	return "It only reads, and may run beside hosts at work. What became due since the last host ended is left to the next one, and is no finding.\n\n" +
		"Exit codes: 0 nothing is wrong, 1 something is, 2 usage or configuration, 3 the ledger could not be read."
}

// audited is the answer for programs.
type audited struct {
	OK       bool            `json:"ok"`
	Findings []ledgerFinding `json:"findings"`
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
		found, err := claims.Audit(ctx, o.store, claims.AuditOptions{
			Now:         a.now(),
			Occurrences: host.Occurrences,
			Alive:       func(owner claims.Owner) (fingerprint.Verdict, string) { return judge(ctx, o, owner) },
			CheckOutput: c.Output,
		})
		if err != nil {
			return err
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
		return c.show(a, o, found, left)
	})
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

func (c *auditCmd) show(a *app, o *operator, found []claims.Finding, left int) error {
	var bad error
	if len(found) > 0 {
		bad = exitError{exitBad, nil}
	}
	if a.json {
		if err := a.emit(audited{OK: len(found) == 0, Findings: findingsOf(found)}); err != nil {
			return err
		}
		return bad
	}
	for _, f := range found {
		subject := "job " + f.Job
		if f.Slot != "" {
			subject = "slot " + f.Slot
		}
		if f.RunID != "" {
			subject += ", run " + f.RunID
		}
		fmt.Fprintf(a.stdout, "%s  %s: %s; %s\n", a.paint(red, f.Code), subject, printable(f.What), f.Remedy)
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
