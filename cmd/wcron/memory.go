package main

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/wcron/wcron/config"
)

// machineMemory is what this process can have: the limit of its cgroup, or the machine's memory where that is less or there is no
// limit. 0: neither is known.
func machineMemory() int64 {
	least := uint64(math.MaxInt64)
	for _, ask := range []func() (uint64, error){memlimit.FromCgroup, memlimit.FromSystem} {
		if n, err := ask(); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return int64(least)
}

// budget is the memory that all guests may have together, in bytes; 0 is without a limit, where a share of an unknown total was asked
// for.
func budget(b config.Budget, total int64) int64 {
	if b.Bytes > 0 {
		return b.Bytes
	}
	return b.Of(total)
}
