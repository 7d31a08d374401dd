package plugins

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wcron/wcron/config"
)

// Who an Access comes from where no person has approved it.
const (
	fromNobody   = "nobody's: it requests nothing"
	fromSameLess = "on_update"
)

// decision is which version of a plugin a job runs, and what it may do.
type decision struct {
	use    *plugin
	access Access
	state  State // Pending, Denied or Broken: it does not run; Active: nothing against it
	reason string
	remedy string
	file   string // of a problem that makes it Broken
}

// request is what a version of a plugin asks for: the sidecar's word before the manifest's.
func (p *plugin) request() config.Request {
	for _, l := range []*layer{p.sidecar, p.manifest} {
		if l != nil && l.job.Request != nil {
			return *l.job.Request
		}
	}
	return config.Request{}
}

// decide says which version of a module a job runs: the one that is there, or an earlier one that was approved.
func (b *builder) decide(job, module string, p *plugin, operator *layer) decision {
	if operator != nil && operator.job.Grant != nil {
		return b.byHand(job, module, p, operator)
	}
	mine := Record{Job: job, Plugin: module, Digest: p.digest, Sidecar: p.sideText, Requested: p.request()}
	req := mine.Requested
	if b.unknown != nil { // somebody may have denied it
		return decision{use: p, access: Access{Request: req}, state: Pending, reason: "what was decided about it is not known: " + b.unknown.Error(), remedy: remedyLedger}
	}
	verdict, earlier := b.verdicts(mine)
	if bad := unrequested(p, req, b.shown(module), job); bad != nil {
		return b.earlier(job, earlier, mine, decision{use: p, access: Access{Request: req}, state: Broken, reason: bad.What, remedy: bad.Remedy, file: bad.File})
	}
	d := decision{use: p, access: Access{Request: req, Version: &mine}}
	switch {
	case verdict != nil && verdict.Approved:
		d.grant(req, verdict.Granted, b.file)
		d.access.From, d.access.At = verdict.By, verdict.At
		return d
	case verdict != nil:
		d.state, d.reason = Denied, "it was denied by "+verdict.By
		d.remedy = "approve it with wcron approve " + job + ", or put another version there"
		d.access.From, d.access.At = verdict.By, verdict.At
		return b.earlier(job, earlier, mine, d)
	case earlier != nil && b.follows(*earlier, mine):
		next := mine
		next.Granted, next.Approved, next.By = narrowed(earlier.Granted, req), true, fromSameLess
		next.Auto, next.Seen = true, b.seen
		if earlier.By == fromNobody {
			next.By = fromNobody
		}
		d.access.From, d.access.Accept = next.By, &next
		d.grant(req, next.Granted, b.file)
		return d
	case earlier == nil && harmless(req) && b.file.AutoApprove == config.ApproveHarmless:
		next := mine
		next.Approved, next.By, next.Auto, next.Seen = true, fromNobody, true, b.seen
		d.access.From, d.access.Accept = next.By, &next
		d.grant(req, config.Grant{}, b.file)
		return d
	}
	d.state, d.reason = Pending, "it waits for approval: it asks for "+asText(Asks(req))
	switch {
	case !harmless(req):
	case b.file.AutoApprove == config.ApproveNone:
		d.reason = "it waits for approval: auto_approve is " + quoteWord(b.file.AutoApprove)
	default:
		d.reason = "it waits for approval: on_update is " + quoteWord(b.file.OnUpdate)
	}
	d.remedy = "see it with wcron inspect " + job + ", then run wcron approve " + job + " or wcron deny " + job
	return b.earlier(job, earlier, mine, d)
}

func quoteWord(s string) string { return fmt.Sprintf("%q", s) }

// Bounds of a sentence that a stranger has a hand in, and that goes into the ledger with each slot.
const (
	shownAsks = 5
	shownAsk  = 160
)

// asText is a list of what is asked for in a sentence, with the author's reasons. It leaves out what makes it long.
func asText(list []Ask) string {
	var parts []string
	for i, a := range list {
		if i == shownAsks {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		text := clipped(a.What)
		if a.Reason != "" {
			text += fmt.Sprintf(" (%q)", clipped(a.Reason))
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func clipped(s string) string {
	if len(s) <= shownAsk {
		return s
	}
	return strings.ToValidUTF8(s[:shownAsk], "") + "..."
}

// grant fills in what a version that is approved may do.
func (d *decision) grant(req config.Request, grant config.Grant, f *config.File) {
	d.access.Allowed = meet(req, grant, f.Caps)
	dirs := d.access.Allowed.Dirs
	d.access.Allowed.Dirs = slices.DeleteFunc(dirs, func(g config.DirGrant) bool { return Reserved(f, g) != "" })
	d.access.Denied = d.access.Allowed.refused(req)
}

// verdicts looks up what was decided about this version, and the latest version that was approved, if that is another one.
func (b *builder) verdicts(mine Record) (verdict, earlier *Record) {
	for i := range b.records[mine.Job] {
		r := &b.records[mine.Job][i]
		switch {
		case r.Plugin != mine.Plugin:
		case r.Approved && r.By == fromNobody && b.file.AutoApprove == config.ApproveNone: // nobody's word is not enough any more
		case r.same(mine):
			verdict = r
		case r.Approved && (earlier == nil || r.At.After(earlier.At)):
			earlier = r
		}
	}
	return verdict, earlier
}

// follows tells whether a version takes the place of an approved one without another approval.
func (b *builder) follows(old, next Record) bool {
	if b.file.OnUpdate == config.UpdateAsk && old.Digest != next.Digest {
		return false
	}
	return len(missing(&old.Requested, next.Requested)) == 0
}

// narrowed is the part of a grant that is of use to a request. What a version asks for no more is asked about again when a later one
// wants it back.
func narrowed(g config.Grant, req config.Request) config.Grant {
	a := meet(req, g, config.Caps{})
	out := config.Grant{HTTP: a.HTTP, Dirs: a.Dirs}
	for _, s := range a.Secrets {
		if out.Secrets == nil {
			out.Secrets = map[string]config.SecretGrant{}
		}
		out.Secrets[s.Name] = s.Source
	}
	if req.State != nil {
		out.State = min(g.State, req.State.Size)
	}
	if a.Emit != nil {
		out.Emit = &config.EmitGrant{Jobs: a.Emit}
	}
	return out
}

// earlier lets an approved version go on in place of the one that does not run.
func (b *builder) earlier(job string, old *Record, mine Record, d decision) decision {
	if old == nil {
		return d
	}
	p, err := b.version(old.Digest, old.Sidecar, mine.Plugin)
	if err != nil {
		if d.state == Pending {
			d.reason += "; the version that was approved before cannot go on: " + err.Error()
		}
		return d
	}
	up := &Update{
		Digest: mine.Digest, Request: mine.Requested, Denied: d.state == Denied,
		More: missing(&old.Requested, mine.Requested), Less: missing(&mine.Requested, old.Requested),
	}
	out := decision{use: p, access: Access{Request: old.Requested, From: old.By, At: old.At, Update: up, Version: d.access.Version}}
	out.grant(old.Requested, old.Granted, b.file)
	switch {
	case d.state == Broken:
		up.Reason = "the version in use goes on, because the one that is there now is refused: " + d.reason
		out.remedy = d.remedy
	case up.Denied:
		up.Reason = "the version in use goes on, because the one that is there now is denied"
		out.remedy = "put another version there, or run wcron approve " + job
	default:
		up.Reason = "an update waits for approval: it also asks for " + asText(up.More)
		if len(up.More) == 0 {
			up.Reason = "an update waits for approval: on_update is " + quoteWord(b.file.OnUpdate)
		}
		out.remedy = "run wcron approve " + job + " or wcron deny " + job
	}
	out.reason = up.Reason
	return out
}

// byHand goes by the grant that the operator wrote.
func (b *builder) byHand(job, module string, p *plugin, operator *layer) decision {
	grant := *operator.job.Grant
	d := decision{use: p}
	at := operator.entry.String()
	if grant.Digest != "" && grant.Digest != p.digest {
		sideText := p.sideText
		old, err := b.version(grant.Digest, sideText, module)
		if err != nil {
			d.state = Pending
			d.reason = fmt.Sprintf("the grant at %s is for the version %.12s, and this one is %.12s", at, grant.Digest, p.digest)
			d.remedy = "look at it with wcron inspect " + job + ", then write digest = \"" + p.digest + "\" there"
			d.access = Access{Request: p.request(), From: fromHostFile}
			return d
		}
		d.use = old
		d.access.Update = &Update{
			Digest: p.digest, Request: p.request(), More: missing(new(old.request()), p.request()), Less: missing(new(p.request()), old.request()),
			Reason: fmt.Sprintf("an update waits: the grant at %s is for the version %.12s", at, grant.Digest),
		}
		d.reason, d.remedy = d.access.Update.Reason, "write digest = \""+p.digest+"\" there, once you have looked at it with wcron inspect "+job
	}
	asked := d.use.request()
	req := widened(asked, grant, d.use.needs)
	if bad := unrequested(d.use, req, b.shown(module), job); bad != nil {
		d.state, d.reason, d.remedy, d.file = Broken, bad.What, bad.Remedy, bad.File
		return d
	}
	d.access.Request, d.access.From = asked, fromHostFile+" ("+at+")"
	d.access.Idle = idle(req, grant)
	d.grant(req, grant, b.file)
	return d
}

// version is an earlier version of a plugin, from the content store.
func (b *builder) version(digest, sidecar, module string) (*plugin, error) {
	if b.earlierVersion == nil {
		return nil, ErrContent
	}
	p, err := b.earlierVersion(digest, sidecar, b.shown(module))
	if errors.Is(err, ErrContent) {
		return nil, ErrContent
	}
	return p, err
}

// shown is a module's path for people.
func (b *builder) shown(module string) string {
	if u := b.folder.units[module]; u != nil {
		return u.module.shown
	}
	return module
}
