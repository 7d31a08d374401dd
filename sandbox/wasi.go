package sandbox

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The errno of WASI that are given here.
const (
	errnoSuccess     = 0
	errnoAcces       = 2
	errnoBadf        = 8
	errnoBusy        = 10
	errnoExist       = 20
	errnoFault       = 21
	errnoFbig        = 22
	errnoInval       = 28
	errnoIo          = 29
	errnoIsdir       = 31
	errnoLoop        = 32
	errnoMfile       = 33
	errnoNametoolong = 37
	errnoNoent       = 44
	errnoNospc       = 51
	errnoNosys       = 52
	errnoNotdir      = 54
	errnoNotempty    = 55
	errnoNotsup      = 58
	errnoPerm        = 63
	errnoRofs        = 69
	errnoSpipe       = 70
	errnoXdev        = 75
)

// provideWASI makes the functions of WASI preview 1. They are the engine's, but for those that a guest can misuse there.
//
//   - poll_oneoff multiplies in 32 bits and panics, sleeps for 292 years where nothing is waited for, and knows no absolute
//     time.
//   - args_get goes through long arguments without looking up.
//   - All that has to do with streams, files and folders is this package's own: a guest cannot leave a folder, and what may
//     block ends with the run.
func provideWASI(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(wasiModule)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	export := func(name, params string, f func(x *execution, mod api.Module, args []uint64) uint64) {
		types := make([]api.ValueType, len(params))
		for i := range types {
			if types[i] = api.ValueTypeI32; params[i] == 'I' {
				types[i] = api.ValueTypeI64
			}
		}
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			stack[0] = f(ctx.Value(executionKey{}).(*execution), mod, stack)
		}), types, []api.ValueType{api.ValueTypeI32}).Export(name)
	}
	export("poll_oneoff", "iiii", (*execution).pollOneoff)
	export("fd_close", "i", (*execution).fdClose)
	export("fd_read", "iiii", (*execution).fdRead)
	export("fd_write", "iiii", (*execution).fdWrite)
	for name, of := range map[string]func(*execution) texts{
		"args":    func(x *execution) texts { return x.args },
		"environ": func(x *execution) texts { return x.env },
	} {
		export(name+"_get", "ii", func(x *execution, mod api.Module, args []uint64) uint64 { return x.textsGet(of(x), mod, args) })
		export(name+"_sizes_get", "ii", func(x *execution, mod api.Module, args []uint64) uint64 { return x.sizesGet(of(x), mod, args) })
	}
	for name, f := range fileFunctions {
		export(name, f.params, f.do)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// fileFunctions are those on files and folders, with their parameters: i for 32 bits, I for 64.
var fileFunctions = map[string]struct {
	params string
	do     func(x *execution, mod api.Module, args []uint64) uint64
}{
	"fd_advise":               {"iIIi", (*execution).fdAdvise},
	"fd_allocate":             {"iII", (*execution).fdAllocate},
	"fd_datasync":             {"i", (*execution).fdSync},
	"fd_fdstat_get":           {"ii", (*execution).fdFdstatGet},
	"fd_fdstat_set_flags":     {"ii", (*execution).fdFdstatSetFlags},
	"fd_fdstat_set_rights":    {"iII", (*execution).fdFdstatSetRights},
	"fd_filestat_get":         {"ii", (*execution).fdFilestatGet},
	"fd_filestat_set_size":    {"iI", (*execution).fdFilestatSetSize},
	"fd_filestat_set_times":   {"iIIi", (*execution).fdFilestatSetTimes},
	"fd_pread":                {"iiiIi", (*execution).fdPread},
	"fd_prestat_dir_name":     {"iii", (*execution).fdPrestatDirName},
	"fd_prestat_get":          {"ii", (*execution).fdPrestatGet},
	"fd_pwrite":               {"iiiIi", (*execution).fdPwrite},
	"fd_readdir":              {"iiiIi", (*execution).fdReaddir},
	"fd_renumber":             {"ii", (*execution).fdRenumber},
	"fd_seek":                 {"iIii", (*execution).fdSeek},
	"fd_sync":                 {"i", (*execution).fdSync},
	"fd_tell":                 {"ii", (*execution).fdTell},
	"path_create_directory":   {"iii", (*execution).pathCreateDirectory},
	"path_filestat_get":       {"iiiii", (*execution).pathFilestatGet},
	"path_filestat_set_times": {"iiiiIIi", (*execution).pathFilestatSetTimes},
	"path_link":               {"iiiiiii", (*execution).pathLink},
	"path_open":               {"iiiiiIIii", (*execution).pathOpen},
	"path_readlink":           {"iiiiii", (*execution).pathReadlink},
	"path_remove_directory":   {"iii", (*execution).pathRemoveDirectory},
	"path_rename":             {"iiiiii", (*execution).pathRename},
	"path_symlink":            {"iiiii", (*execution).pathSymlink},
	"path_unlink_file":        {"iii", (*execution).pathUnlinkFile},
}

// subscription is what a guest waits for, as WASI lays it out.
type subscription []byte

const (
	subscriptionSize = 48
	eventSize        = 32
	paceEvery        = 4096 // subscriptions, or buffers

	waitClock = 0
	waitRead  = 1
	waitWrite = 2
	realtime  = 0
	absTime   = 1
)

func (s subscription) kind() byte { return s[8] }
func (s subscription) fd() uint32 { return binary.LittleEndian.Uint32(s[16:]) }

// moment is what the clocks show.
type moment struct{ real, monotonic int64 }

// wait is how long it is from a moment until the event.
func (s subscription) wait(now moment) time.Duration {
	if s.kind() != waitClock {
		return 0 // each stream is ready: to wait for one is to read or to write it
	}
	at := int64(min(binary.LittleEndian.Uint64(s[24:]), math.MaxInt64))
	if binary.LittleEndian.Uint16(s[40:])&absTime != 0 {
		since := now.monotonic
		if binary.LittleEndian.Uint32(s[16:]) == realtime {
			since = now.real
		}
		at = max(at-max(since, 0), 0)
	}
	return time.Duration(at)
}

// event writes what came of a subscription; a file can be read and written at once.
func (s subscription) event(out []byte, file bool) {
	var e [eventSize]byte
	copy(e[:8], s[:8])
	e[10] = s.kind()
	if s.kind() != waitClock {
		if fd := s.fd(); !file && (fd >= fdCount || (fd == fdStdin) != (s.kind() == waitRead)) {
			e[8] = errnoBadf
		}
		e[16] = 1 // byte at least can be read or written
	}
	copy(out, e[:])
}

// pollOneoff waits for the first of the events that a guest subscribed to.
func (x *execution) pollOneoff(mod api.Module, args []uint64) uint64 {
	in, out, n, count := uint32(args[0]), uint32(args[1]), uint32(args[2]), uint32(args[3])
	if n == 0 {
		return errnoInval
	}
	mem := mod.Memory()
	if n > math.MaxUint32/subscriptionSize {
		return errnoFault
	}
	list, ok := mem.Read(in, n*subscriptionSize)
	events, ok2 := mem.Read(out, n*eventSize)
	if !ok || !ok2 || !mem.WriteUint32Le(count, 0) {
		return errnoFault
	}
	clock := x.module.engine.cfg.Clock
	now := moment{real: clock.Now().UnixNano(), monotonic: int64(clock.Monotonic())}
	least, valid := time.Duration(math.MaxInt64), true
	x.each(list, func(s subscription) {
		least = min(least, s.wait(now))
		valid = valid && s.kind() <= waitWrite
	})
	if !valid {
		return errnoInval
	}
	if least > 0 {
		x.asleep(func() { clock.Sleep(x.ctx, least) })
		x.checkContext()
	}
	written := 0
	x.each(list, func(s subscription) {
		if s.wait(now) <= least {
			s.event(events[written*eventSize:], x.file(uint64(s.fd())) != nil)
			written++
		}
	})
	mem.WriteUint32Le(count, uint32(written))
	return errnoSuccess
}

// each visits subscriptions, and lets others compute if there are many.
func (x *execution) each(list []byte, visit func(subscription)) {
	for i := 0; len(list) > 0; i++ {
		if i%paceEvery == paceEvery-1 {
			x.turn()
		}
		visit(subscription(list[:subscriptionSize]))
		list = list[subscriptionSize:]
	}
}
