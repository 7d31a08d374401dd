package plugins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/wcron/wcron/config"
)

// Defaults of a Config.
const (
	DefaultRescan = 1500 * time.Millisecond
	DefaultSettle = 200 * time.Millisecond
	DefaultRetain = 24 * time.Hour
)

// Config says where to look. File is required; the zero value of every other field is its default.
type Config struct {
	File    string        // path of the host file; jobs.d lies beside it
	Content string        // folder of the content store, made with mode 0700; "": bytes are kept in memory
	Rescan  time.Duration // longest time between two looks; default 1.5 s, which finds a new plugin within 2 s without any hint
	Settle  time.Duration // how long a file must not have changed before it is taken; default 200 ms
	Retain  time.Duration // how long the content store keeps bytes that nobody uses; default 24 h

	// Opened is when Open is called. A file that changed less than Settle before it is left to Run, since it may still be
	// written. Zero: not known, and Open takes whatever is there.
	Opened time.Time

	// Decided answers what was decided about plugins, as [Source.Records] wants it; nil: nobody keeps that, or Records says it.
	Decided func(since int64) (list []Record, rev int64, err error)
}

// Source is the set of jobs that the files define now. Snapshot, Changed, Reload, Load and Pin may be called concurrently.
type Source struct {
	cfg     Config
	content *contentStore
	set     atomic.Pointer[Set]
	changed chan struct{}
	machine machine
	watcher func() (*fsnotify.Watcher, error)
	running atomic.Bool

	mu       sync.Mutex // guards all below
	host     *hostFile
	folder   *folder
	watching []config.Problem // why changes are not announced
	dirty    bool             // the set does not tell all that was found
	at       time.Time        // of the last scan
	retired  map[string]bool  // digests of the set before
	pinned   map[string]bool

	records  records            // what was decided about plugins
	versions map[string]*plugin // earlier versions that jobs run, by digest and sidecar
}

// ErrRunning says that Run is called while it runs.
var ErrRunning = errors.New("the plugin source is running already")

// Open loads the host file and looks at the plugin folder once. A host file that is refused is a *config.Error. Everything else
// that is wrong is in the problems of the set. Nothing is followed until Run is called.
func Open(cfg Config) (*Source, error) {
	s, err := open(cfg)
	if err != nil {
		return nil, err
	}
	if s.content, err = openContent(cfg.Content, config.MaxModuleSize); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(cfg.Opened)
	return s, nil
}

func open(cfg Config) (*Source, error) {
	cfg.Rescan = interval(cfg.Rescan, DefaultRescan)
	cfg.Settle = interval(cfg.Settle, DefaultSettle)
	cfg.Retain = interval(cfg.Retain, DefaultRetain)
	s := &Source{cfg: cfg, changed: make(chan struct{}, 1), machine: thisMachine(), watcher: fsnotify.NewWatcher, records: records{read: cfg.Decided}}
	var err error
	if s.host, err = newHostFile(cfg.File); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.File, err)
	}
	c, _, err := s.host.refresh(time.Time{}, 0)
	if err != nil {
		return nil, err
	}
	s.host.use(c)
	s.folder = newFolder(c.file)
	return s, nil
}

// Check looks once at everything, for a person who wants to know what is wrong. It writes nothing, and reads of the content store what
// is there. The problems are those of the set; a host file that is refused leaves no set and is told by its problems. An error is a
// host file that cannot be read at all.
func Check(cfg Config) (*Set, []config.Problem, error) {
	cfg.Opened = time.Time{}
	s, err := open(cfg)
	var refused *config.Error
	if errors.As(err, &refused) {
		return nil, refused.Problems, nil
	}
	if err != nil {
		return nil, nil, err
	}
	s.content = frozenContent(cfg.Content, config.MaxModuleSize)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(time.Time{})
	set := s.Snapshot()
	return set, set.Problems, nil
}

// Snapshot is the present set. It never changes; a later call may return another one.
func (s *Source) Snapshot() *Set { return s.set.Load() }

// Changed yields a value after the set has changed. Changes that nobody has read yet are one value.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Reload reads every file again, whether or not it looks changed, and returns when the set is up to date. A file that is being
// written, or was just now, is still left to Run: settled tells that there is none.
func (s *Source) Reload() (settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host.reread()
	s.folder.reread()
	s.scan(s.at)
	return !s.host.waiting && !s.folder.waiting()
}

// Load returns the bytes of a digest that the content store keeps: those of the present set and the one before, pinned ones,
// and others for a while. ErrContent says that it has them no more.
func (s *Source) Load(digest string) ([]byte, error) { return s.content.get(digest) }

// Pin names the digests that the content store keeps in any case, in place of those named before.
func (s *Source) Pin(digests []string) {
	pinned := map[string]bool{}
	for _, d := range digests {
		pinned[d] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned = pinned
}

// Run follows the files until ctx ends, and then returns nil. It leaves no goroutine behind. A second call while one runs
// returns ErrRunning.
func (s *Source) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer s.running.Store(false)
	w := newWatch(s.watcher)
	defer w.close()
	soon := s.cfg.Settle / 8 // events come in bursts, and one look serves them all
	timer := time.NewTimer(0)
	defer timer.Stop()
	hurried := false
	hurry := func() {
		if !hurried {
			hurried = true
			timer.Reset(soon)
		}
	}
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-w.events():
			if !ok {
				w.lost()
			} else if s.ours(event) {
				hurry()
			}
		case _, ok := <-w.errors():
			if !ok {
				w.lost()
			}
			hurry() // events were lost; a look finds what they were about
		case now := <-timer.C:
			hurried = false
			if swept.IsZero() || now.Sub(swept) >= s.cfg.Retain/8 {
				swept = now
				s.sweep(now)
			}
			timer.Reset(s.turn(now, w))
		}
	}
}

// turn makes one scan and returns when the next is due.
func (s *Source) turn(now time.Time, w *watch) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.cover(append(s.folder.watched(s.host.named()), s.host.watched()...))
	if problems := w.problems(s.folder.dir, s.cfg.Rescan); !slices.Equal(problems, s.watching) {
		s.watching, s.dirty = problems, true
	}
	s.scan(now)
	if s.host.waiting || s.folder.waiting() {
		return min(s.cfg.Settle/2, s.cfg.Rescan)
	}
	return s.cfg.Rescan
}

func (s *Source) ours(event fsnotify.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filepath.Dir(event.Name) == s.folder.dir || ours(event, s.host.path, s.host.jobsDir)
}

// scan looks at everything and publishes a set if it is another one. It is called with mu held.
func (s *Source) scan(now time.Time) {
	s.at = now
	in := intake{now: now, settle: s.cfg.Settle, content: s.content}
	if s.records.refresh() {
		s.dirty = true
	}
	if s.scanHost(in) {
		s.dirty = true
	}
	if s.folder.scan(in, s.host.named(), s.host.path) {
		s.dirty = true
	}
	if s.dirty || s.Snapshot() == nil {
		s.dirty = false
		s.publish(s.build())
	}
}

// scanHost takes over a new configuration, unless it names a plugin folder that cannot be used: then all of the last one goes on.
// It returns whether there is something new.
func (s *Source) scanHost(in intake) bool {
	c, due, err := s.host.refresh(in.now, in.settle)
	if !due {
		return false
	}
	var refused *config.Error
	if errors.As(err, &refused) {
		s.host.refuse(refused.Problems, false)
		return true
	}
	if err != nil {
		s.host.refuse([]config.Problem{{What: err.Error(), Remedy: "bring it back, or let wcron read it"}}, true)
		return true
	}
	if c.file.Plugins != s.folder.dir {
		next := newFolder(c.file)
		if _, f := next.list(); f != nil {
			s.host.refuse([]config.Problem{{File: readable(next.dir), What: f.what, Remedy: f.remedy}}, true)
			return true
		}
		s.folder = next
	}
	s.folder.relimit(Limits(c.file.Limits))
	s.versions = nil // they are held against the limits anew
	s.host.use(c)
	return true
}

// build makes the set of what was last found.
func (s *Source) build() *Set {
	file := s.host.file
	b := &builder{file: file, base: file.Base(), folder: s.folder, load: s.load, records: s.records.by, seen: s.records.rev, unknown: s.records.unknown(), earlierVersion: s.version}
	b.complain(s.host.problems...)
	b.complain(s.watching...)
	b.complain(s.records.problems()...)
	if b.zone.Name = file.Timezone; s.host.zoneSet {
		b.zone.From = zoneHostFile
		b.zone.Location, _ = loadZone(file.Timezone) // config accepts only what can be loaded
	} else {
		var err error
		if b.zone, err = s.machine.zone(); err != nil {
			b.complain(config.Problem{File: readable(s.host.path), What: fmt.Sprintf("the time zone of this machine is not known (%v), so schedules are read in UTC", err),
				Remedy: "say one: timezone = \"Europe/Berlin\""})
		}
		if file.Defaults.Timezone == nil {
			b.base.Timezone = &b.zone.Name
		}
	}
	return b.build()
}

// load returns the bytes of a digest. What the content store has lost is taken from the plugin folder, if it is still there.
func (s *Source) load(digest, path string) ([]byte, error) {
	b, err := s.content.get(digest)
	if err == nil || !errors.Is(err, ErrContent) {
		return b, err
	}
	st, f, lerr := look(path)
	if lerr == nil && f == nil {
		b, f, lerr = read(path, st, config.MaxModuleSize)
	}
	if lerr != nil || f != nil || digestOf(b) != digest {
		return nil, fmt.Errorf("load %s: %w; put the file there again", readable(path), err)
	}
	s.content.drop(digest)
	return b, s.content.put(digest, b)
}

// publish makes a set the present one if it tells anything new.
func (s *Source) publish(next *Set) {
	if last := s.Snapshot(); last != nil {
		next.Rev = last.Rev
		if reflect.DeepEqual(last.comparable(), next.comparable()) {
			return
		}
		s.retired = last.digests()
	}
	next.Rev++
	s.set.Store(next)
	if s.content.dir == "" {
		s.content.retain(s.kept())
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// kept is every digest whose bytes are needed.
func (s *Source) kept() map[string]bool {
	keep := s.Snapshot().digests()
	maps.Copy(keep, s.retired)
	maps.Copy(keep, s.pinned)
	for name, list := range s.records.by {
		_, present := s.Snapshot().Job(name)
		for _, r := range list {
			if r.Approved && (present || r.By != fromNobody) { // what a person has approved outlasts that its plugin is away
				keep[r.Digest] = true
			}
		}
	}
	for _, u := range s.folder.units {
		if u.good != nil {
			keep[u.good.digest] = true
		}
	}
	return keep
}

// sweep removes bytes that nothing has needed for long. Bytes that cannot be removed only take room: the next sweep tries again.
func (s *Source) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.content.dir != "" && s.records.unknown() == nil { // what was approved must not go since the ledger does not answer
		_ = s.content.sweep(s.kept(), now, s.cfg.Retain)
	}
}
