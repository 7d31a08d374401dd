package plugins

import (
	"fmt"

	"github.com/wcron/wcron/config"
)

// records follows what was decided about plugins. It is guarded by the source's lock.
type records struct {
	read func(since int64) (list []Record, rev int64, err error) // nil: there is nobody to ask
	rev  int64
	by   map[string][]Record // by job
	err  error
}

// Records makes the source go by what was decided about plugins. read answers the decisions that are newer than a revision, 0 for all of
// them, and the revision that they lead to; it is called at every scan and must be quick. A decision about a version takes the
// place of an earlier one about it, and an approval that of earlier approvals of the job. The set is up to date when Records returns.
// Until it is called nothing counts as decided.
func (s *Source) Records(read func(since int64) (list []Record, rev int64, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records{read: read}
	s.dirty = true
	s.scan(s.at)
}

// refresh asks for new decisions. What was known goes on where nobody answers.
func (r *records) refresh() (changed bool) {
	if r.read == nil {
		return false
	}
	list, rev, err := r.read(r.rev)
	if err != nil {
		changed = r.err == nil || r.err.Error() != err.Error()
		r.err = err
		return changed
	}
	changed = r.err != nil || len(list) > 0
	r.err, r.rev = nil, rev
	if r.by == nil {
		r.by = map[string][]Record{}
	}
	for _, next := range list {
		var rest []Record
		for _, old := range r.by[next.Job] {
			superseded := old.Approved && next.Approved && old.Plugin == next.Plugin
			if !old.same(next) && !superseded {
				rest = append(rest, old)
			}
		}
		r.by[next.Job] = append(rest, next)
	}
	return changed
}

// unknown says why nothing is known yet, or nil.
func (r *records) unknown() error {
	if r.by == nil {
		return r.err
	}
	return nil
}

// LedgerProblem is the File of the problem that what was decided could not be read.
const LedgerProblem = "the ledger"

const remedyLedger = "let the state folder be one that wcron may use"

func (r *records) problems() []config.Problem {
	if r.err == nil {
		return nil
	}
	return []config.Problem{{File: LedgerProblem, What: fmt.Sprintf("what was approved is not known: %v", r.err),
		Remedy: remedyLedger + "; what was known before goes on"}}
}

// version is a version of a plugin that the content store has.
func (s *Source) version(digest, sidecar, shown string) (*plugin, error) {
	key := digest + sidecar
	if p := s.versions[key]; p != nil {
		return p, nil
	}
	b, err := s.content.get(digest)
	if err != nil {
		return nil, err
	}
	p, problems := inspect(shown, b, s.folder.lim)
	if len(problems) > 0 {
		return nil, fmt.Errorf("it is refused now: %s", reason(problems[0]))
	}
	p.digest = digest
	if sidecar != "" {
		l, problems := sidecarLayer(shown+" (its sidecar)", []byte(sidecar))
		if len(problems) > 0 {
			return nil, fmt.Errorf("its sidecar is refused now: %s", reason(problems[0]))
		}
		p.sidecar, p.sideSum, p.sideText = l, digestOf([]byte(sidecar)), sidecar
	}
	if s.versions == nil {
		s.versions = map[string]*plugin{}
	}
	s.versions[key] = p
	return p, nil
}
