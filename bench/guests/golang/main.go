// Command golang is a guest that computes: its first argument chooses what, the second how much. It prints a number that depends on
// all of the work.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
)

var work = map[string]func(n int) uint64{
	"sha256": hash, "nbody": nbody, "fib": func(n int) uint64 { return fib(uint64(n)) }, "sieve": sieve,
	"sort": sorted, "json": objects, "map": count,
}

func main() {
	if len(os.Args) == 1 {
		return // it only starts
	}
	n, err := strconv.Atoi(os.Args[2])
	do := work[os.Args[1]]
	if err != nil || do == nil {
		os.Exit(2)
	}
	fmt.Println(do(n))
}

// random is xorshift: the same numbers each time.
type random uint64

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

func hash(n int) uint64 {
	sum := sha256.Sum256([]byte("begin"))
	block := make([]byte, 64<<10)
	for i := range n {
		copy(block[i%1024:], sum[:])
		sum = sha256.Sum256(block)
	}
	return binary.LittleEndian.Uint64(sum[:])
}

type body struct{ x, y, z, vx, vy, vz, mass float64 }

func nbody(n int) uint64 {
	bodies := []body{
		{mass: 39.5},
		{4.84, -1.16, -0.10, 0.61, 2.81, -0.02, 0.038},
		{8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
		{12.89, -15.11, -0.22, 1.08, 0.87, -0.01, 0.0017},
		{15.38, -25.92, 0.18, 0.98, 0.59, -0.03, 0.002},
	}
	for range n {
		for i := range bodies {
			a := &bodies[i]
			for j := i + 1; j < len(bodies); j++ {
				b := &bodies[j]
				dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
				d := dx*dx + dy*dy + dz*dz
				f := 0.001 / (d * math.Sqrt(d))
				a.vx, a.vy, a.vz = a.vx-dx*b.mass*f, a.vy-dy*b.mass*f, a.vz-dz*b.mass*f
				b.vx, b.vy, b.vz = b.vx+dx*a.mass*f, b.vy+dy*a.mass*f, b.vz+dz*a.mass*f
			}
		}
		for i := range bodies {
			b := &bodies[i]
			b.x, b.y, b.z = b.x+0.001*b.vx, b.y+0.001*b.vy, b.z+0.001*b.vz
		}
	}
	return math.Float64bits(bodies[0].x + bodies[1].y)
}

func fib(n uint64) uint64 {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func sieve(n int) (primes uint64) {
	composite := make([]bool, n)
	for i := 2; i < n; i++ {
		if composite[i] {
			continue
		}
		primes += uint64(i)
		for j := i * i; j < n; j += i {
			composite[j] = true
		}
	}
	return primes
}

func sorted(n int) (sum uint64) {
	r := random(42)
	list := make([]int, n)
	for i := range list {
		list[i] = int(r.next() >> 1)
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	for i, v := range list {
		sum += uint64(i) * uint64(v)
	}
	return sum
}

type item struct {
	ID    uint64             `json:"id"`
	Name  string             `json:"name"`
	Tags  []string           `json:"tags"`
	Price map[string]float64 `json:"price"`
}

func objects(n int) (sum uint64) {
	r := random(42)
	var items []item
	for range 50 {
		v := r.next()
		items = append(items, item{v, fmt.Sprint("item \"", v, "\""), []string{"a", "öl", fmt.Sprint(v % 7)}, map[string]float64{
			"eur": float64(v%1000) / 8, "usd": float64(v%977) / 16,
		}})
	}
	for range n {
		text, err := json.Marshal(items)
		if err != nil {
			panic(err)
		}
		items = nil
		if err := json.Unmarshal(text, &items); err != nil {
			panic(err)
		}
		sum += uint64(len(text)) + items[7].ID
	}
	return sum
}

func count(n int) (sum uint64) {
	r := random(42)
	seen := map[string]int{}
	for i := range n {
		seen["key "+strconv.FormatUint(r.next()%20011, 10)] += i
	}
	for k, v := range seen {
		sum += uint64(len(k)) * uint64(v)
	}
	return sum
}
