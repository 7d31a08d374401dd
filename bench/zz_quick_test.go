package bench

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var zero = time.Now()

func cpuNow() time.Duration {
	if os.Getenv("WALL") != "" {
		return time.Since(zero)
	}
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestZZQuick(t *testing.T) {
	langs := os.Getenv("QUICK")
	if langs == "" {
		t.Skip()
	}
	rounds, _ := strconv.Atoi(os.Getenv("ROUNDS"))
	rounds = max(rounds, 5)
	ctx := t.Context()
	w, err := newWays(ctx)
	if err != nil {
		t.Fatal(err)
	}
	logs, logb, n := 0.0, 0.0, 0.0
	for _, r := range recipes {
		if langs != "all" && !strings.Contains(langs, r.language) {
			continue
		}
		p, err := r.build(ctx)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := w.bare.CompileModule(ctx, p.wasm)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.engine.Compile(ctx, p.wasm)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range workloads {
			if j.language != r.language {
				continue
			}
			args := []string{"guest", j.work, strconv.Itoa(j.size)}
			var a, b []float64
			var fuel uint64
			for range rounds {
				begun := cpuNow()
				x, err := plain(ctx, w.bare, bare, args)
				if err != nil {
					t.Fatal(err)
				}
				a = append(a, (cpuNow()-begun).Seconds()*1e3)
				begun = cpuNow()
				y, f, err := metered(ctx, m, args)
				b = append(b, (cpuNow()-begun).Seconds()*1e3)
				fuel = f
				if err != nil || x != y {
					t.Fatal(err, x, y)
				}
			}
			logs += math.Log(ratio(b, a))
			logb += math.Log(slices.Min(b) / slices.Min(a))
			n++
			fmt.Printf("%-16s %8.1f %8.1f  %.2f  best %.2f  fuel %d\n", j.language+" "+j.work, slices.Min(a), slices.Min(b), ratio(b, a), slices.Min(b)/slices.Min(a), fuel)
		}
	}
	fmt.Printf("mean %.3f best %.3f\n", math.Exp(logs/n), math.Exp(logb/n))
}
