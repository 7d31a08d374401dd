package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// File is the host file with everything that it says decided, and the jobs of it and of jobs.d.
type File struct {
	// Path is the host file's absolute path; "" for [Default].
	Path string `toml:"-"`
	// Plugins and State are absolute folders. Relative ones are resolved against the host file's folder.
	Plugins string `toml:"plugins"`
	State   string `toml:"state"`
	// MaxRuns is how many runs may be in flight at once. 0: no limit of its own.
	MaxRuns int `toml:"max_runs"`
	// MemoryBudget is what the guests in flight may have together, of RAM or of the cgroup's limit.
	MemoryBudget Budget `toml:"memory_budget"`
	// OrphanGrace is how old a claim is before the death of its owner counts.
	OrphanGrace time.Duration `toml:"orphan_grace"`
	// DrainTimeout is how long a host that stops waits for its runs.
	DrainTimeout time.Duration `toml:"drain_timeout"`
	// CommitGrace is how long after its timeout a run may still commit.
	CommitGrace time.Duration `toml:"commit_grace"`
	// Lease is how long an owner may be silent before it counts as stalled, and one of which nothing is known as gone.
	Lease time.Duration `toml:"lease"`
	// Metrics is the address, IP:PORT, on which the metrics are served; "": nowhere but on the operator's socket.
	Metrics string `toml:"metrics"`
	// Dashboard is where the dashboard is served, if it is.
	Dashboard Dashboard `toml:"dashboard"`
	// CatchUp is how far apart late starts are, after a stop or a sleep. 0: they are not spaced out.
	CatchUp time.Duration `toml:"catch_up"`
	// Timezone is the zone of jobs that say none; "" when it is not written: the machine's.
	Timezone string `toml:"timezone"`
	// AutoApprove says which plugins need nobody's approval, OnUpdate what becomes of a new version of one that has it.
	AutoApprove string `toml:"auto_approve"`
	OnUpdate    string `toml:"on_update"`
	// CompileTimeout and CompileMemory bound the process that compiles a module, Limits the shape of modules before that.
	CompileTimeout time.Duration `toml:"compile_timeout"`
	CompileMemory  int64         `toml:"compile_memory"`
	Limits         Limits        `toml:"limits"`
	// Defaults is the layer below manifests, Caps what these may ask for at most.
	Defaults Job  `toml:"defaults"`
	Caps     Caps `toml:"caps"`
	// Jobs are those of [jobs.NAME] and of jobs.d, by name. A job over a plugin of the same name may leave Plugin out.
	Jobs map[string]JobEntry `toml:"jobs"`
	// Sources are the absolute paths of all files that were read, the host file first.
	Sources []string `toml:"-"`
	// JobsDir is the absolute path of jobs.d, which need not exist.
	JobsDir string `toml:"-"`
}

// Words of AutoApprove and OnUpdate.
const (
	ApproveHarmless  = "no-capabilities" // those that request nothing
	ApproveNone      = "none"            // no plugin
	UpdateSameOrLess = "same-or-less"    // a version that requests no more than the one before takes its place at once
	UpdateAsk        = "ask"             // every version waits for approval
)

// JobEntry is a job that the operator defined, and where.
type JobEntry struct {
	Job
	Pos Position
}

// Base is the layer below a plugin's own: [defaults], over the host's time zone, over [Defaults].
func (f *File) Base() Job {
	host := Job{}
	if f.Timezone != "" {
		host.Timezone = &f.Timezone
	}
	return f.Defaults.Over(host).Over(Defaults())
}

// Default is a host file in folder dir that says nothing. dir is made absolute where the working folder is known.
func Default(dir string) *File {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &File{
		Plugins:      filepath.Join(dir, "plugins"),
		State:        filepath.Join(dir, "state"),
		MemoryBudget: Budget{Percent: 50},
		OrphanGrace:  5 * time.Second,
		DrainTimeout: 30 * time.Second,
		CommitGrace:  30 * time.Second,
		CatchUp:      250 * time.Millisecond,
		Lease:        time.Minute,
		AutoApprove:  ApproveHarmless,
		OnUpdate:     UpdateSameOrLess,

		CompileTimeout: 3 * time.Minute,
		CompileMemory:  2 * int64(GiB),
		Limits:         DefaultLimits(),

		Caps:    Caps{Timeout: time.Hour, Memory: int64(GiB), Output: 16 * int64(MiB), State: 16 * MiB, Quota: GiB},
		Jobs:    map[string]JobEntry{},
		JobsDir: filepath.Join(dir, "jobs.d"),
	}
}

// maxJobFiles bounds jobs.d.
const maxJobFiles = 10_000

// Load reads the host file at path and the files of jobs.d beside it. All problems of all files are in one [*Error]. A host file
// that cannot be read is an error of the operating system, wrapped: [fs.ErrNotExist] where there is none.
func Load(path string) (*File, error) {
	name := path
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("load configuration %s: %w", name, err)
	}
	f := Default(filepath.Dir(path))
	f.Path = path
	var out problems
	src, err := readFile(path, &out)
	if err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	f.Sources = append(f.Sources, path)
	if src != nil {
		if doc := parse(path, src, maxFile, &out); doc != nil {
			readHost(f, doc.top())
		}
	}
	f.loadJobs(&out)
	for _, e := range f.Jobs {
		if e.Grant != nil {
			e.Grant.resolve(filepath.Dir(path))
		}
	}
	if err := out.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// loadJobs reads jobs.d.
func (f *File) loadJobs(out *problems) {
	info, err := os.Stat(f.JobsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil && !info.IsDir() {
		out.add(Problem{File: f.JobsDir, What: "is not a folder", Remedy: "remove it, or make a folder of that name"})
		return
	}
	if err == nil && open(info) {
		out.add(openProblem(f.JobsDir))
		return
	}
	entries, err := os.ReadDir(f.JobsDir)
	if err != nil {
		out.add(unreadable(f.JobsDir, err))
		return
	}
	read := 0
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".toml")
		if !ok || strings.HasPrefix(e.Name(), ".") {
			continue // notes, backups and editors' own files
		}
		if read++; read > maxJobFiles {
			out.add(Problem{File: f.JobsDir, What: fmt.Sprintf("holds more than %d jobs", maxJobFiles), Remedy: "remove some"})
			return
		}
		f.loadJob(name, filepath.Join(f.JobsDir, e.Name()), out)
	}
}

func (f *File) loadJob(name, path string, out *problems) {
	src, err := readFile(path, out)
	if err != nil {
		if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) {
			return // removed since the folder was listed
		}
		out.add(unreadable(path, err))
		return
	}
	f.Sources = append(f.Sources, path)
	if err := ValidName(name); err != nil {
		out.add(Problem{File: path, What: err.Error(), Remedy: "rename the file"})
	}
	entry := JobEntry{Pos: Position{path, 1, 1}}
	if src != nil {
		entry.Job = parseJob(path, src, KindJobFile, out)
	}
	if other, twice := f.Jobs[name]; twice {
		out.add(Problem{File: path, Line: 1, Col: 1, What: fmt.Sprintf("job %s is defined twice, here and at %s", name, other.Pos), Remedy: "keep one of the two"})
		return
	}
	f.Jobs[name] = entry
}

// readFile reads at most one byte more than any text may have. What is wrong with the file itself goes to out, and the text is nil then.
func readFile(path string, out *problems) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		out.add(Problem{File: path, What: "is not a regular file", Remedy: "put a file there"})
		return nil, nil
	}
	if open(info) {
		out.add(openProblem(path))
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}

// open tells whether anybody may write. Windows has no such bit.
func open(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0
}

func openProblem(path string) Problem {
	return Problem{File: path, What: "is writable by everybody", Remedy: "run chmod o-w " + path}
}

func unreadable(path string, err error) Problem {
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		err = perr.Err
	}
	return Problem{File: path, What: "cannot be read: " + err.Error(), Remedy: "let the host's user read it, or remove it"}
}
