package meter

import "fmt"

// PageSize is the size of a page of a WebAssembly memory in bytes.
const PageSize = 64 << 10

// Limits bounds the shape of a module. A field of 0 stands for its default, see DefaultLimits. The word in quotes is the
// key by which an error tells which limit to raise, with "limits." before it.
//
// The first ones bound what compiling costs; a module within them can still take long, which is for a compiler in a
// process of its own to bound. AllParams, AllLocals and Operands bound what an engine takes to load a module whose
// compiled code it finds in its cache: types, validation and the tables of locals are looked through each time.
type Limits struct {
	ModuleSize   int64 // bytes of the whole module: "module_size", default MaxModule
	FunctionSize int64 // bytes of one function's code: "function_size", default 1 MiB
	Functions    int   // functions, imported ones included: "functions", default 100,000
	Locals       int   // locals of one function: "locals", default 50,000
	Nesting      int   // blocks within each other in one function: "nesting", default 10,000
	Branches     int   // targets of one br_table: "branches", default 20,000
	Entries      int   // types, imports, exports, globals, element, data and custom sections, each: "entries", default 100,000, which is what a large Go program has
	Elements     int   // table entries that the module sets, in all: "elements", default 200,000
	Tables       int   // tables, imported ones included: "tables", default 10
	TableSize    int64 // entries that one table begins with or grows to: "table_size", default 100,000
	DataSize     int64 // bytes of all data segments: "data_size", default 32 MiB
	Params       int   // parameters of one function type, and results: "params", default 1,000; engines take time quadratic in them
	AllParams    int   // parameters and results of all function types: "all_params", default 200,000
	AllLocals    int64 // locals of all functions: "all_locals", default 20 million
	Operands     int64 // values that calls, blocks and branches pass, over all functions: "operands", default 100 million
	Memory       int64 // bytes that the memory begins with: "memory", default 4 GiB less one page, which is also the most
}

// MaxModule is the size in bytes up to which a module is read and checked unless Limits says otherwise: 64 MiB. The largest
// programs that are known to run have half of that.
const MaxModule = 64 << 20

// MaxMemory is the most memory that a module can have, in bytes: 4 GiB less one page.
const MaxMemory = 4<<30 - PageSize

// DefaultLimits are the limits that the zero value stands for.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

// withDefaults fills in what is 0.
func (l Limits) withDefaults() Limits {
	orDefault(&l.ModuleSize, MaxModule)
	orDefault(&l.FunctionSize, 1<<20)
	orDefault(&l.Functions, 100_000)
	orDefault(&l.Locals, 50_000)
	orDefault(&l.Nesting, 10_000)
	orDefault(&l.Branches, 20_000)
	orDefault(&l.Entries, 100_000)
	orDefault(&l.Elements, 200_000)
	orDefault(&l.Tables, 10)
	orDefault(&l.TableSize, 100_000)
	orDefault(&l.DataSize, 32<<20)
	orDefault(&l.Params, 1_000)
	orDefault(&l.AllParams, 200_000)
	orDefault(&l.AllLocals, 20_000_000)
	orDefault(&l.Operands, 100_000_000)
	orDefault(&l.Memory, MaxMemory)
	l.Memory = min(l.Memory, MaxMemory)
	return l
}

func orDefault[T int | int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// FormatBytes prints a number of bytes in the largest unit that shows it exactly, as "64 MiB".
func FormatBytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n != 0 && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
