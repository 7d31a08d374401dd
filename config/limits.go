package config

import (
	"slices"
	"strings"
	"time"
)

// Limits bounds the shape of modules, so that none can hold up a host before it runs. See docs/configuration.md.
type Limits struct {
	ModuleSize   int64 `toml:"module_size"`
	FunctionSize int64 `toml:"function_size"`
	Functions    int   `toml:"functions"`
	Locals       int   `toml:"locals"`
	Nesting      int   `toml:"nesting"`
	Branches     int   `toml:"branches"`
	Entries      int   `toml:"entries"`
	Elements     int   `toml:"elements"`
	Tables       int   `toml:"tables"`
	TableSize    int64 `toml:"table_size"`
	DataSize     int64 `toml:"data_size"`
	Params       int   `toml:"params"`
	AllParams    int   `toml:"all_params"`
	AllLocals    int64 `toml:"all_locals"`
	Operands     int64 `toml:"operands"`
	Memory       int64 `toml:"memory"`
}

// DefaultLimits are those of a host file that says nothing. They admit compilers and bundlers that were built for WebAssembly.
func DefaultLimits() Limits {
	return Limits{
		ModuleSize: int64(64 * MiB), FunctionSize: int64(MiB), Functions: 100_000, Locals: 50_000, Nesting: 10_000, Branches: 20_000,
		Entries: 100_000, Elements: 200_000, Tables: 10, TableSize: 100_000, DataSize: int64(32 * MiB), Params: 1_000,
		AllParams: 200_000, AllLocals: 20_000_000, Operands: 100_000_000, Memory: int64(maxMemory),
	}
}

// MaxModuleSize is the most that module_size can be set to, in bytes.
const MaxModuleSize = int64(GiB)

func limitSize(name string, low, high Size, at func(*Limits) *int64) hostKey {
	return hostField(name, sizes(false, low, high),
		func(f *File) Size { return Size(*at(&f.Limits)) },
		func(f *File, s Size) { *at(&f.Limits) = int64(s) })
}

func limitCount[T int | int64](name string, high int, at func(*Limits) *T) hostKey {
	return hostField(name, integers(1, high),
		func(f *File) int { return int(*at(&f.Limits)) },
		func(f *File, n int) { *at(&f.Limits) = T(n) })
}

// limitKeys are the keys of [limits]. The tables of a module cannot be larger than what metering splits up.
func limitKeys() []hostKey {
	const most, mostEntries = 1_000_000_000, 10_000_000
	return []hostKey{
		limitSize("module_size", KiB, Size(MaxModuleSize), func(l *Limits) *int64 { return &l.ModuleSize }),
		limitSize("function_size", KiB, Size(MaxModuleSize), func(l *Limits) *int64 { return &l.FunctionSize }),
		limitCount("functions", mostEntries, func(l *Limits) *int { return &l.Functions }),
		limitCount("locals", mostEntries, func(l *Limits) *int { return &l.Locals }),
		limitCount("nesting", mostEntries, func(l *Limits) *int { return &l.Nesting }),
		limitCount("branches", mostEntries, func(l *Limits) *int { return &l.Branches }),
		limitCount("entries", mostEntries, func(l *Limits) *int { return &l.Entries }),
		limitCount("elements", mostEntries, func(l *Limits) *int { return &l.Elements }),
		limitCount("tables", mostEntries, func(l *Limits) *int { return &l.Tables }),
		limitCount("table_size", mostEntries, func(l *Limits) *int64 { return &l.TableSize }),
		limitSize("data_size", KiB, Size(MaxModuleSize), func(l *Limits) *int64 { return &l.DataSize }),
		limitCount("params", mostEntries, func(l *Limits) *int { return &l.Params }),
		limitCount("all_params", most, func(l *Limits) *int { return &l.AllParams }),
		limitCount("all_locals", most, func(l *Limits) *int64 { return &l.AllLocals }),
		limitCount("operands", most, func(l *Limits) *int64 { return &l.Operands }),
		limitSize("memory", minMemory, maxMemory, func(l *Limits) *int64 { return &l.Memory }),
	}
}

// compileKeys bound the process that compiles.
func compileKeys() []hostKey {
	return []hostKey{
		hostField("compile_timeout", durations(false, Duration(100*time.Millisecond), Duration(24*time.Hour)),
			func(f *File) Duration { return Duration(f.CompileTimeout) }, func(f *File, d Duration) { f.CompileTimeout = time.Duration(d) }),
		hostField("compile_memory", sizes(false, 16*MiB, TiB),
			func(f *File) Size { return Size(f.CompileMemory) }, func(f *File, s Size) { f.CompileMemory = int64(s) }),
	}
}

func noHint(string) string { return "" }

// readKeys reads a table of plain values. hint tells what to do about a name that is no key, or "".
func readKeys(f *File, v value, keys []hostKey, hint func(name string) string) {
	entries, _ := v.table()
	var known []string
	for _, k := range keys {
		known = append(known, k.name)
	}
	for _, e := range entries {
		if i := slices.Index(known, e.name); i >= 0 {
			keys[i].read(f, e.value)
		} else {
			e.unknown(known, hint)
		}
	}
}

// EncodeLimits is the table [limits] of a host file.
func EncodeLimits(l Limits) []byte {
	var b strings.Builder
	b.WriteString("[limits]\n")
	for _, k := range limitKeys() {
		b.WriteString(k.name + " = " + k.show(&File{Limits: l}) + "\n")
	}
	return []byte(b.String())
}
