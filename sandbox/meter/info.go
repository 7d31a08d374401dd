package meter

// Kind is what an import or an export is.
type Kind byte

// The kinds, numbered as in the binary format.
const (
	Func Kind = iota
	Table
	Memory
	Global
)

// String returns the name of the kind, as reasons have it.
func (k Kind) String() string {
	switch k {
	case Func:
		return "function"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	}
	return "unknown kind"
}

// Import is one thing that a module wants from outside.
type Import struct {
	Module, Name string
	Kind         Kind
}

// Export is one thing that a module shows under a name.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32 // among the things of its kind, imported ones first
}

// CustomSection is the name of a custom section and the number of bytes in it.
type CustomSection struct {
	Name string
	Size int
}

// Info is what Check learns about a module.
type Info struct {
	Size      int64 // bytes of the module
	Imports   []Import
	Exports   []Export
	Functions int  // functions defined in the module
	HasStart  bool // it has a start section, so code runs before any entry point
	HasMemory bool // it has a memory of its own or imports one
	MinPages  uint32
	MaxPages  uint32 // meaningful if HasMax
	HasMax    bool
	Customs   []CustomSection

	// DropNames says that the name section is malformed, doubled or out of proportion. An engine may refuse or choke
	// on it while the module itself is sound: take it away with SetCustom(wasm, "name", nil).
	DropNames bool
}

// MinMemory is the memory in bytes that an instance has from the start.
func (i *Info) MinMemory() int64 { return int64(i.MinPages) * PageSize }

// Export returns the export of that name.
func (i *Info) Export(name string) (Export, bool) {
	for _, e := range i.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
