package config

import (
	"path/filepath"
	"slices"
	"time"
)

// hostKey is one key of the host file's top level that holds a plain value.
type hostKey struct {
	name string
	typ  string
	span string
	read func(*File, value)
	show func(*File) string // the value as TOML
}

func hostField[T any](name string, r reader[T], get func(*File) T, set func(*File, T)) hostKey {
	return hostKey{
		name: name, typ: r.typ, span: r.span,
		read: func(f *File, v value) {
			if x, ok := r.read(v); ok {
				set(f, x)
			}
		},
		show: func(f *File) string { return r.write(get(f)) },
	}
}

// minLease leaves a host that is alive but slow the time to renew it.
const minLease = Duration(time.Second)

func graceKey(name string, zero bool, at func(*File) *time.Duration) hostKey {
	return hostField(name, durations(zero, minSpan, Duration(24*time.Hour)),
		func(f *File) Duration { return Duration(*at(f)) },
		func(f *File, d Duration) { *at(f) = time.Duration(d) })
}

// folderKey is a folder. It shows as it would be written beside a host file in the same folder.
func folderKey(name string, at func(*File) *string) hostKey {
	return hostField(name, texts("a path", 4096, checkPath),
		func(f *File) string { return filepath.Base(*at(f)) },
		func(f *File, s string) {
			if s = filepath.FromSlash(s); !filepath.IsAbs(s) {
				s = filepath.Join(filepath.Dir(f.Path), s)
			}
			*at(f) = filepath.Clean(s)
		})
}

func hostKeys() []hostKey {
	return append([]hostKey{
		folderKey("plugins", func(f *File) *string { return &f.Plugins }),
		folderKey("state", func(f *File) *string { return &f.State }),
		hostField("max_runs", integers(0, 10_000), func(f *File) int { return f.MaxRuns }, func(f *File, n int) { f.MaxRuns = n }),
		hostField("memory_budget", budgets(), func(f *File) Budget { return f.MemoryBudget }, func(f *File, b Budget) { f.MemoryBudget = b }),
		graceKey("orphan_grace", true, func(f *File) *time.Duration { return &f.OrphanGrace }),
		graceKey("drain_timeout", true, func(f *File) *time.Duration { return &f.DrainTimeout }),
		graceKey("commit_grace", false, func(f *File) *time.Duration { return &f.CommitGrace }),
		hostField("lease", durations(false, minLease, Duration(24*time.Hour)),
			func(f *File) Duration { return Duration(f.Lease) }, func(f *File, d Duration) { f.Lease = time.Duration(d) }),
		hostField("metrics", listeners(), func(f *File) string { return f.Metrics }, func(f *File, s string) { f.Metrics = s }),
		hostField("catch_up", durations(true, minSpan, Duration(time.Minute)),
			func(f *File) Duration { return Duration(f.CatchUp) }, func(f *File, d Duration) { f.CatchUp = time.Duration(d) }),
		hostField("timezone", zones(), func(f *File) string { return f.Timezone }, func(f *File, s string) { f.Timezone = s }),
		hostField("auto_approve", choices(ApproveHarmless, ApproveNone), func(f *File) string { return f.AutoApprove }, func(f *File, s string) { f.AutoApprove = s }),
		hostField("on_update", choices(UpdateSameOrLess, UpdateAsk), func(f *File) string { return f.OnUpdate }, func(f *File, s string) { f.OnUpdate = s }),
	}, compileKeys()...)
}

// hostTables are the tables of the host file.
func hostTables() map[string]func(*File, value) {
	return map[string]func(*File, value){
		"defaults":  func(f *File, v value) { f.Defaults = readJob(v, kindDefaults) },
		"caps":      func(f *File, v value) { readKeys(f, v, capKeys(), capHint) },
		"limits":    func(f *File, v value) { readKeys(f, v, limitKeys(), noHint) },
		"dashboard": func(f *File, v value) { readKeys(f, v, dashboardKeys(), noHint) },
		"jobs":      readJobs,
	}
}

// hostNames is every name that the host file's top level may hold.
func hostNames() []string {
	names := []string{"dashboard", "defaults", "caps", "limits", "jobs"}
	for _, k := range hostKeys() {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return names
}

func readHost(f *File, v value) {
	entries, _ := v.table()
	keys := map[string]func(*File, value){}
	for _, k := range hostKeys() {
		keys[k.name] = k.read
	}
	for name, read := range hostTables() {
		keys[name] = read
	}
	placed := map[string]entry{}
	for _, e := range entries {
		if read, ok := keys[e.name]; ok {
			read(f, e.value)
			placed[e.name] = e
		} else {
			e.unknown(hostNames(), jobHint)
		}
	}
	if f.Plugins == f.State {
		at, ok := placed["state"]
		if !ok {
			at = placed["plugins"]
		}
		at.fail("plugins and state are the same folder", "give each a folder of its own")
	}
}

// jobHint tells what to do about a job key at the top of the host file; "" for other names.
func jobHint(name string) string {
	if slices.ContainsFunc(limitKeys(), func(k hostKey) bool { return k.name == name && name != "memory" }) {
		return "it is a key of the table [limits]: write it there"
	}
	for _, k := range jobKeys() {
		if k.name != name {
			continue
		}
		if !k.allowed(kindDefaults) {
			return misplaced(k)
		}
		return "it is a key of a job: write it in [jobs.NAME], or in [defaults] for all jobs"
	}
	return ""
}

// capKeys are the keys of [caps]; 0 is no cap. Each reads in the unit and the range of what it bounds.
func capKeys() []hostKey {
	return []hostKey{
		hostField("timeout", durations(true, minSpan, maxSpan),
			func(f *File) Duration { return Duration(f.Caps.Timeout) }, func(f *File, d Duration) { f.Caps.Timeout = time.Duration(d) }),
		hostField("memory", sizes(true, minMemory, maxMemory),
			func(f *File) Size { return Size(f.Caps.Memory) }, func(f *File, s Size) { f.Caps.Memory = int64(s) }),
		hostField("output", sizes(true, 1, maxOutput),
			func(f *File) Size { return Size(f.Caps.Output) }, func(f *File, s Size) { f.Caps.Output = int64(s) }),
		hostField("state", sizes(true, KiB, maxState), func(f *File) Size { return f.Caps.State }, func(f *File, s Size) { f.Caps.State = s }),
		hostField("dir_quota", sizes(true, KiB, TiB), func(f *File) Size { return f.Caps.Quota }, func(f *File, s Size) { f.Caps.Quota = s }),
		hostField("http_hosts", optional(words(hostNamesOf(), 256, `write an array such as ["*.example.com"]`)),
			func(f *File) []string { return f.Caps.Hosts }, func(f *File, list []string) { f.Caps.Hosts = list }),
		hostField("dirs", optional(words(texts("a path", 4096, checkPath), 256, `write an array such as ["/srv/jobs"]`)),
			func(f *File) []string { return f.Caps.Dirs }, func(f *File, list []string) { f.Caps.Dirs = absolute(f, list) }),
	}
}

// capHint tells what became of a key that [caps] once had; "" for other names.
func capHint(name string) string {
	if name == "state_size" {
		return "it is called state: the most that any grant gives"
	}
	return ""
}

// optional writes nothing for nil.
func optional(r reader[[]string]) reader[[]string] {
	write := r.write
	r.write = func(list []string) string {
		if list == nil {
			return ""
		}
		return write(list)
	}
	return r
}

// absolute starts relative paths at the host file's folder.
func absolute(f *File, list []string) []string {
	for i, s := range list {
		if s = filepath.FromSlash(s); !filepath.IsAbs(s) {
			s = filepath.Join(filepath.Dir(f.Path), s)
		}
		list[i] = filepath.Clean(s)
	}
	return list
}

func readJobs(f *File, v value) {
	entries, _ := v.table()
	for _, e := range entries {
		if err := ValidName(e.name); err != nil {
			e.failKey(err.Error(), "rename the job")
		}
		f.Jobs[e.name] = JobEntry{readJob(e.value, kindHostJob), e.doc.position(e.node.key)}
	}
}
