package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The key with the version of the manifest's keys, and the version that this package reads.
const (
	manifestKey     = "manifest"
	manifestVersion = 1
	onlyManifest    = "only the manifest inside a module says it"
)

// ParseJob reads the text of a job. Problems are reported under name, which need not be a file; the error is then an [*Error] and
// the Job is empty. A manifest may be 64 KiB long, any other text 256 KiB.
func ParseJob(name string, src []byte, kind Kind) (Job, error) {
	var out problems
	j := parseJob(name, src, kind, &out)
	if err := out.err(); err != nil {
		return Job{}, err
	}
	return j, nil
}

func parseJob(name string, src []byte, kind Kind, out *problems) Job {
	limit := maxFile
	if kind == KindManifest {
		limit = maxManifest
	}
	doc := parse(name, src, limit, out)
	if doc == nil {
		return Job{}
	}
	return readJob(doc.top(), kind)
}

// readJob reads the keys of one table. What it cannot read is reported and left unset.
func readJob(v value, kind Kind) Job {
	var j Job
	entries, ok := v.table()
	if !ok {
		return j
	}
	if kind == KindManifest {
		if entries, ok = manifestKeys(entries); !ok {
			return j
		}
	}
	keys := map[string]jobKey{}
	var known []string
	for _, k := range jobKeys() {
		keys[k.name] = k
		if k.allowed(kind) {
			known = append(known, k.name)
		}
	}
	for _, e := range entries {
		switch k, ok := keys[e.name]; {
		case !ok:
			e.unknown(known, hostHint)
		case !k.allowed(kind):
			e.failKey("does not belong in "+kind.String(), misplaced(k))
		default:
			k.read(&j, e.value)
		}
	}
	return j
}

// misplaced tells where a known key belongs.
func misplaced(k jobKey) string {
	switch {
	case k.name == "request":
		return "a plugin asks, in its manifest or its sidecar; what the operator lets it do is the table grant"
	case k.name == "grant":
		return "the operator grants, in [jobs.NAME.grant] of the host file or in jobs.d/NAME.toml; a plugin asks with the table request"
	case k.name == "state_size":
		return `a plugin asks for more state with request.state = { size = "4MiB" }; what every job has is the operator's to say, in the host file or jobs.d`
	case k.allowed(KindManifest):
		return onlyManifest
	}
	return "write it in [jobs.NAME] of the host file or in jobs.d/NAME.toml"
}

// hostHint tells what to do about a key of another place that stands among job keys; "" for other names.
func hostHint(name string) string {
	if name == manifestKey {
		return onlyManifest
	}
	if slices.Contains(hostNames(), name) {
		return "it is a key of the host file's top level"
	}
	return ""
}

// manifestKeys takes the version out of the entries. Where it is another one, the rest means nothing here.
func manifestKeys(entries []entry) ([]entry, bool) {
	i := slices.IndexFunc(entries, func(e entry) bool { return e.name == manifestKey })
	if i < 0 {
		return entries, true
	}
	if n, ok := entries[i].raw.(int64); !ok || n != manifestVersion {
		entries[i].fail(fmt.Sprintf("want version %d, got %s", manifestVersion, kindOf(entries[i].raw)),
			fmt.Sprintf("update wcron, or build the plugin with manifest = %d", manifestVersion))
		return nil, false
	}
	return slices.Delete(entries, i, i+1), true
}

// unknown reports a key that nothing reads. hint tells where it belongs instead, or "".
func (e entry) unknown(known []string, hint func(name string) string) {
	if len(e.doc.out.list) > shownProblems {
		e.failKey("unknown key", "") // advice that nobody sees, in a file of noise
		return
	}
	remedy := hint(e.name)
	switch near := nearest(e.name, known); {
	case remedy != "":
	case near != "" && strings.EqualFold(near, e.name):
		remedy = "keys are case-sensitive: write " + near
	case near != "":
		remedy = "did you mean " + near + "?"
	default:
		remedy = "the keys here are " + strings.Join(known, ", ")
	}
	e.failKey("unknown key", remedy)
}

// EncodeJob writes what j sets as TOML, one key a line, that [ParseJob] reads back to the same value under the same kind. It fails
// where that cannot be: a value out of its range, a key that does not belong in kind, text that is not UTF-8, an Input with null.
func EncodeJob(j Job, kind Kind) ([]byte, error) {
	if j.Input != nil {
		if _, err := tomlValue(j.Input); err != nil {
			return nil, fmt.Errorf("encode job: %w", err)
		}
	}
	var b strings.Builder
	if kind == KindManifest {
		fmt.Fprintf(&b, "%s = %d\n", manifestKey, manifestVersion)
	}
	for _, k := range jobKeys() {
		if text := k.write(j); text != "" {
			fmt.Fprintf(&b, "%s = %s\n", k.name, text)
		}
	}
	src := []byte(b.String())
	back, err := ParseJob("job", src, kind)
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	back.Input, j.Input = nil, nil
	if !reflect.DeepEqual(back, j) {
		return nil, fmt.Errorf("encode job: a text is not valid UTF-8; replace what is not")
	}
	return src, nil
}

// KeyText is one key of a job and its value as TOML.
type KeyText struct {
	Key  string
	Text string
}

// Keys are the keys that j sets, in the order in which a person would write them.
func (j Job) Keys() []KeyText {
	var list []KeyText
	for _, k := range jobKeys() {
		if text := k.write(j); text != "" {
			list = append(list, KeyText{k.name, text})
		}
	}
	return list
}
