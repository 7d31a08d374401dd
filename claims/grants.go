package claims

import (
	"context"
	"time"
)

// Grants is the part of an engine that keeps what operators decided about plugins. What was asked for and what was granted are texts
// that the engine does not read. Methods keep to the rules of [Store].
type Grants interface {
	// Grants lists the decisions that are newer than a revision, oldest first, and the revision that they lead to: since itself
	// where there are none. 0 lists all that count. It is cheap where nothing is new.
	Grants(ctx context.Context, since int64) ([]Grant, int64, error)
	// Grant records decisions, all or none, but for those that are [Grant.Auto] and come too late. A decision takes the place of an earlier one about the same job, plugin, digest and
	// sidecar; an approval also that of every earlier approval of the job and plugin.
	Grant(ctx context.Context, now time.Time, list []Grant) error
}

// Decision is what was decided about a version of a plugin.
type Decision string

// The decisions.
const (
	Approved Decision = "approved"
	Denied   Decision = "denied"
)

// Grant is a decision about one version of a job's plugin. The job need not exist.
type Grant struct {
	Job       string
	Plugin    string // path in the plugin folder
	Digest    string // SHA-256 of the module, in hex
	Sidecar   string // text of the sidecar; empty: there was none
	Decision  Decision
	Requested string // JSON
	Granted   string // JSON
	By        string
	At        time.Time // when it was recorded; set by the engine

	// Auto says that no person decided this: it is left out where the job and plugin have a decision that is newer than the revision
	// Seen, which is then a person's or a later one. Neither is kept.
	Auto bool
	Seen int64
}
