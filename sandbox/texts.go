package sandbox

import (
	"math"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

// texts are strings that a guest asks for: its arguments or its variables. They can be long, and it can ask often.
type texts []string

// variables are those of a run; of two with one name the later holds, in the place of the former.
func variables(env []string) texts {
	var out texts
	for _, kv := range env {
		key, _, _ := strings.Cut(kv, "=")
		same := func(other string) bool { return strings.HasPrefix(other, key+"=") }
		if i := slices.IndexFunc(out, same); i >= 0 {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}

// size is what they take in memory, with a zero byte behind each.
func (t texts) size() (n uint64) {
	for _, s := range t {
		n += uint64(len(s)) + 1
	}
	return n
}

// sizesGet tells how many they are and what they take.
func (x *execution) sizesGet(t texts, mod api.Module, args []uint64) uint64 {
	mem := mod.Memory()
	if t.size() > math.MaxUint32 ||
		!mem.WriteUint32Le(uint32(args[0]), uint32(len(t))) || !mem.WriteUint32Le(uint32(args[1]), uint32(t.size())) {
		return errnoFault
	}
	return errnoSuccess
}

// textsGet writes them into the memory, and a list of where each begins.
func (x *execution) textsGet(t texts, mod api.Module, args []uint64) uint64 {
	x.turn()
	list, at := uint32(args[0]), uint32(args[1])
	mem := mod.Memory()
	if t.size() > math.MaxUint32 {
		return errnoFault
	}
	places, ok := mem.Read(list, uint32(4*len(t)))
	buf, ok2 := mem.Read(at, uint32(t.size()))
	if !ok || !ok2 || uint64(len(places)) != 4*uint64(len(t)) {
		return errnoFault
	}
	for i, s := range t {
		mem.WriteUint32Le(list+uint32(4*i), at)
		n := copy(buf, s)
		buf[n] = 0
		buf, at = buf[n+1:], at+uint32(n)+1
	}
	return errnoSuccess
}
