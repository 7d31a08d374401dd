package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind says where the text of a job stands, and so which keys it may hold.
type Kind int

// The places of a job's text.
const (
	KindJobFile  Kind = iota // jobs.d/NAME.toml
	KindSidecar              // name.toml beside name.wasm
	KindManifest             // the custom section of a module
	kindHostJob              // [jobs.NAME] of the host file
	kindDefaults             // [defaults] of the host file
)

// String names the place in a sentence.
func (k Kind) String() string {
	switch k {
	case KindJobFile:
		return "a file of jobs.d"
	case KindSidecar:
		return "a sidecar"
	case KindManifest:
		return "a manifest"
	case kindHostJob:
		return "a [jobs.NAME] table"
	case kindDefaults:
		return "[defaults]"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// jobKey is one key of a job: how it is read, written and merged, and what the documentation says of it.
type jobKey struct {
	name  string
	typ   string
	span  string
	kinds []Kind               // where it may stand; nil: everywhere
	read  func(*Job, value)    // sets the field, or reports the value
	write func(Job) string     // "" where the field is not set
	fill  func(dst, base *Job) // takes base's field where dst has none
}

func (k jobKey) allowed(kind Kind) bool { return k.kinds == nil || slices.Contains(k.kinds, kind) }

// key is a job key that a pointer holds.
func key[T any](name string, at func(*Job) **T, r reader[T]) jobKey {
	return jobKey{
		name: name, typ: r.typ, span: r.span,
		read: func(j *Job, v value) {
			if x, ok := r.read(v); ok {
				*at(j) = &x
			}
		},
		write: func(j Job) string {
			if p := *at(&j); p != nil {
				return r.write(*p)
			}
			return ""
		},
		fill: func(dst, base *Job) {
			if *at(dst) == nil {
				*at(dst) = *at(base)
			}
		},
	}
}

// listKey is a job key that a slice holds; nil is not set, empty is.
func listKey[S ~[]E, E any](name string, at func(*Job) *S, r reader[S]) jobKey {
	return jobKey{
		name: name, typ: r.typ, span: r.span,
		read: func(j *Job, v value) {
			if x, ok := r.read(v); ok {
				*at(j) = x
			}
		},
		write: func(j Job) string {
			if s := *at(&j); s != nil {
				return r.write(s)
			}
			return ""
		},
		fill: func(dst, base *Job) {
			if *at(dst) == nil {
				*at(dst) = *at(base)
			}
		},
	}
}

// in restricts where a key may stand.
func (k jobKey) in(kinds ...Kind) jobKey {
	k.kinds = kinds
	return k
}

// A wasm page, and all that 32 bits address; what a run's output may weigh in one commit's file.
const (
	minMemory = 64 * KiB
	maxMemory = 4 * GiB
	maxOutput = GiB
	maxState  = 64 * MiB                  // a run reads all of it, and a commit may carry all of it
	maxFuel   = 1_000_000_000_000_000_000 // some decades of computing
)

// jobKeys is every key of a job, in the order in which a person would write them. It is the one table that reading, writing and
// merging go by.
func jobKeys() []jobKey {
	const line = 1024
	keys := []jobKey{
		key("name", func(j *Job) **string { return &j.Name }, texts("a job name", maxName, ValidName)).in(KindManifest),
		key("version", func(j *Job) **string { return &j.Version }, texts("1 to 64 bytes", 64, checkLine)).in(KindManifest),
		key("description", func(j *Job) **string { return &j.Description }, texts("1 to 1024 bytes, one line", line, checkLine)),
		key("plugin", func(j *Job) **string { return &j.Plugin }, texts("a path in the plugin folder", line, checkPlugin)).
			in(KindJobFile, kindHostJob),
		key("schedule", func(j *Job) **string { return &j.Schedule }, schedules()),
		key("timezone", func(j *Job) **string { return &j.Timezone }, zones()),
		key("dst", func(j *Job) **string { return &j.DST }, choices(DSTOnce, DSTSkip, DSTBoth)),
		key("timeout", func(j *Job) **Duration { return &j.Timeout }, durations(true, minSpan, maxSpan)),
		key("start_timeout", func(j *Job) **Duration { return &j.StartTimeout }, durations(false, minSpan, maxSpan)),
		key("memory", func(j *Job) **Size { return &j.Memory }, sizes(false, minMemory, maxMemory)),
		key("fuel", func(j *Job) **int64 { return &j.Fuel }, integers[int64](0, maxFuel)),
		key("output", func(j *Job) **Size { return &j.Output }, sizes(false, 1, maxOutput)),
		key("state_size", func(j *Job) **Size { return &j.StateSize }, sizes(false, 1, maxState)).in(KindJobFile, kindHostJob, kindDefaults),
		key("entry", func(j *Job) **string { return &j.Entry }, texts("1 to 256 bytes", 256, nil)),
		listKey("args", func(j *Job) *[]string { return &j.Args }, arguments()),
		textsKey("env", "names without = and not beginning with "+envPrefix, func(j *Job) *map[string]string { return &j.Env }, checkVariable),
		textsKey("config", "any names", func(j *Job) *map[string]string { return &j.Config }, checkConfigName),
		listKey("input", func(j *Job) *json.RawMessage { return &j.Input }, inputs()),
		key("retries", func(j *Job) **int { return &j.Retries }, integers(0, 1000)),
		key("backoff", func(j *Job) **Backoff { return &j.Backoff }, backoffs()),
		listKey("retry_on", func(j *Job) *[]string { return &j.RetryOn }, retryOutcomes()),
		key("overlap", func(j *Job) **string { return &j.Overlap }, choices(OverlapSkip, OverlapQueue, OverlapReplace, OverlapAllow)),
		key("queue_limit", func(j *Job) **int { return &j.QueueLimit }, integers(1, 1000)),
		key("max_concurrent", func(j *Job) **int { return &j.MaxConcurrent }, integers(1, 64)),
		key("repeat", func(j *Job) **int { return &j.Repeat }, integers(0, 1_000_000_000)),
		key("history_runs", func(j *Job) **int { return &j.HistoryRuns }, integers(1, 1_000_000)),
		key("history_bytes", func(j *Job) **Size { return &j.HistoryBytes }, sizes(false, 1, TiB)),
		key("request", func(j *Job) **Request { return &j.Request }, tables(requestKeys(), nil)).in(KindSidecar, KindManifest),
		key("grant", func(j *Job) **Grant { return &j.Grant }, tables(grantKeys(), nil)).in(KindJobFile, kindHostJob),
	}
	before := slices.IndexFunc(keys, func(k jobKey) bool { return k.name == "retries" })
	return slices.Insert(keys, before, policyKeys()...)
}

func zones() reader[string] { return texts("a time zone's name", 64, checkZone) }

// maxSchedules is how many schedules a job may have.
const maxSchedules = 16

// schedules reads text that another package judges: one schedule, or an array of them, which become lines of one text. An empty array
// is the empty text: no schedule, whatever a lower layer says.
func schedules() reader[string] {
	one := texts("1 to 512 bytes", 512, nil)
	return reader[string]{
		typ:  "string or array of strings",
		span: fmt.Sprintf("each 1 to 512 bytes, at most %d", maxSchedules),
		read: func(v value) (string, bool) {
			if _, ok := v.raw.([]any); !ok {
				return one.read(v)
			}
			items, ok := v.array("a string or an array of strings", "")
			if len(items) > maxSchedules {
				v.fail(fmt.Sprintf("holds %d schedules", len(items)), fmt.Sprintf("write at most %d; define another job for the others", maxSchedules))
				return "", false
			}
			lines := make([]string, 0, len(items))
			for _, item := range items {
				line, sound := one.read(item)
				lines, ok = append(lines, line), ok && sound
			}
			return strings.Join(lines, "\n"), ok
		},
		write: func(text string) string {
			if text != "" && !strings.Contains(text, "\n") {
				return quote(text)
			}
			return writeList(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }))
		},
	}
}

// stringList reads an array of strings; check reports what is wrong with one of them.
func stringList(v value, remedy string, check func(item value, s string) bool) ([]string, bool) {
	items, ok := v.array("an array of strings", remedy)
	if !ok {
		return nil, false
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, isString := item.raw.(string)
		if !isString {
			ok = item.want("a string", "write text in quotes")
			continue
		}
		ok = check(item, s) && ok
		list = append(list, s)
	}
	return list, ok
}

func writeList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func withoutNUL(v value, s string) bool {
	if strings.ContainsRune(s, 0) {
		v.fail("holds a NUL character", "remove it")
		return false
	}
	return true
}

func arguments() reader[[]string] {
	return reader[[]string]{
		typ:  "array of strings",
		span: "no NUL character",
		read: func(v value) ([]string, bool) {
			return stringList(v, `write an array such as ["--full"]`, withoutNUL)
		},
		write: writeList,
	}
}

func retryOutcomes() reader[[]string] {
	words := []string{RetryFailed, RetryTimeout, RetryTrapped, RetryShutdown, RetryOrphaned}
	one := choices(words...)
	return reader[[]string]{
		typ:  "array of strings",
		span: "each at most once: " + one.span,
		read: func(v value) ([]string, bool) {
			seen := map[string]bool{}
			return stringList(v, `write an array such as ["failed", "timeout"]`, func(item value, s string) bool {
				if seen[s] {
					item.fail(quote(clip(s))+" is listed twice", "remove one of them")
					return false
				}
				seen[s] = true
				_, ok := one.read(item)
				return ok
			})
		},
		write: writeList,
	}
}

// envPrefix is the host's own: a guest can trust what such a variable says.
const envPrefix = "WCRON_"

// textsKey is a table of strings whose layers merge name by name, so that a layer can add one.
func textsKey(name, span string, at func(*Job) *map[string]string, valid func(string) error) jobKey {
	return jobKey{
		name: name, typ: "table of strings", span: span,
		read: func(j *Job, v value) {
			if m, ok := readTexts(v, valid); ok {
				*at(j) = m
			}
		},
		write: func(j Job) string {
			m := *at(&j)
			if m == nil {
				return ""
			}
			pairs := make([]string, 0, len(m))
			for _, name := range slices.Sorted(maps.Keys(m)) {
				pairs = append(pairs, keyText(name)+" = "+quote(m[name]))
			}
			return "{ " + strings.Join(pairs, ", ") + " }"
		},
		fill: func(dst, base *Job) {
			to, from := at(dst), *at(base)
			if *to == nil {
				*to = from
				return
			}
			merged := maps.Clone(*to)
			for name, text := range from {
				if _, ok := merged[name]; !ok {
					merged[name] = text
				}
			}
			*to = merged
		},
	}
}

func readTexts(v value, valid func(string) error) (map[string]string, bool) {
	entries, ok := v.table()
	if !ok {
		return nil, false
	}
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		if err := valid(e.name); err != nil {
			if a, ok := errors.AsType[advice](err); ok {
				e.failKey(a.what, a.remedy)
			}
		}
		s, isString := e.raw.(string)
		if !isString {
			e.want("a string", "write text in quotes")
			continue
		}
		withoutNUL(e.value, s)
		m[e.name] = s
	}
	return m, true
}

func checkVariable(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		return advice{"is no variable's name", "use a name without = and NUL"}
	case strings.HasPrefix(name, envPrefix):
		return advice{"is a variable of wcron itself", "use a name that does not begin with " + envPrefix}
	}
	return nil
}

func checkConfigName(name string) error {
	if name == "" {
		return advice{"is empty", "use a name"}
	}
	return nil
}
