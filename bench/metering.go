package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/sandbox"
)

// What metering may cost: as many times the same guest without it, in the geometric mean and at worst; and how many times faster
// than the engine's own check it must be in the geometric mean.
const (
	MeanCostBound  = 1.10
	WorstCostBound = 1.6
	GainBound      = 3.0
)

// MeteringOptions says what is measured.
type MeteringOptions struct {
	Rounds    int      // each runs each guest once in each way; at least 1
	Languages []string // empty: all
	Part      float64  // of the usual work of each guest, above 0 and up to 1; 0 stands for 1
}

// MeteringFigures is what came of it.
type MeteringFigures struct {
	Machine   Machine        `json:"machine"`
	Rounds    int            `json:"rounds"`
	Guests    []MeteredGuest `json:"guests"`
	MeanCost  float64        `json:"mean_cost"`  // geometric mean over the guests
	WorstCost float64        `json:"worst_cost"` // of any guest
	MeanGain  float64        `json:"mean_gain"`  // geometric mean over the guests
}

// MeteredGuest is one guest, run in three ways. The times are medians over the rounds of a whole run: instantiation, work, close.
type MeteredGuest struct {
	Language    string  `json:"language"`
	Work        string  `json:"work"`
	UnmeteredMS float64 `json:"unmetered_ms"` // on the bare engine
	MeteredMS   float64 `json:"metered_ms"`   // by sandbox, as a host does
	OptionMS    float64 `json:"option_ms"`    // on the bare engine with its option WithCloseOnContextDone
	Cost        float64 `json:"cost"`         // metered to unmetered: the median over the rounds
	BestCost    float64 `json:"best_cost"`    // the same of the fastest run of each
	Gain        float64 `json:"gain"`         // option to metered: the median over the rounds
	Fuel        uint64  `json:"fuel"`
}

// job is a guest with its arguments.
type job struct {
	language, work string
	size           int
}

// workloads take some 50 to 200 ms each without metering on the machine of README.md.
var workloads = []job{
	{"C", "sha256", 4000}, {"C", "nbody", 500_000}, {"C", "fib", 35}, {"C", "sieve", 8_000_000},
	{"C", "sort", 300_000}, {"C", "json", 3000}, {"C", "map", 1_000_000},
	{"Go", "sha256", 200}, {"Go", "nbody", 200_000}, {"Go", "fib", 32}, {"Go", "sieve", 4_000_000},
	{"Go", "sort", 200_000}, {"Go", "json", 60}, {"Go", "map", 500_000},
	{"Lua", "interpreter", 7},
}

// Metering runs each guest without metering, with it, and with the engine's own check, in turn, so that all three meet the same
// machine. The error is that of a measurement that could not be made, or of a guest that did not print the same each time.
func Metering(ctx context.Context, o MeteringOptions) (*MeteringFigures, error) {
	if o.Rounds < 1 || o.Part < 0 || o.Part > 1 {
		return nil, errors.New("metering: there must be one round at least, and a part of the work from 0 to 1")
	}
	if o.Part == 0 {
		o.Part = 1
	}
	w, err := newWays(ctx)
	if err != nil {
		return nil, fmt.Errorf("metering: %w", err)
	}
	defer w.close(context.WithoutCancel(ctx))
	f := &MeteringFigures{Machine: newMachine(), Rounds: o.Rounds}
	for _, r := range recipes {
		if len(o.Languages) > 0 && !slices.Contains(o.Languages, r.language) {
			continue
		}
		if err := f.measure(ctx, w, &r, o); err != nil {
			return nil, fmt.Errorf("metering: %w", err)
		}
	}
	f.Machine.LoadAfter = loadAverage()
	f.MeanCost = geometricMean(f.Guests, func(g *MeteredGuest) float64 { return g.Cost })
	f.MeanGain = geometricMean(f.Guests, func(g *MeteredGuest) float64 { return g.Gain })
	for _, g := range f.Guests {
		f.WorstCost = max(f.WorstCost, g.Cost)
	}
	return f, nil
}

// measure runs the workloads of one language.
func (f *MeteringFigures) measure(ctx context.Context, w *ways, r *recipe, o MeteringOptions) error {
	p, err := r.build(ctx)
	if err != nil {
		return err
	}
	compiled, err := w.compile(ctx, p.wasm)
	if err != nil {
		return fmt.Errorf("compile the guest in %s: %w", p.Language, err)
	}
	defer compiled.close(context.WithoutCancel(ctx))
	for _, j := range workloads {
		if j.language != p.Language {
			continue
		}
		if j.work != "fib" && j.work != "interpreter" { // these grow by more than their size
			j.size = max(int(float64(j.size)*o.Part), 1)
		} else if o.Part < 1 {
			j.size -= 2
		}
		g, err := compiled.measure(ctx, j, o.Rounds)
		if err != nil {
			return fmt.Errorf("%s %s: %w", j.language, j.work, err)
		}
		f.Guests = append(f.Guests, *g)
	}
	return nil
}

// ways are the three ways to run a guest.
type ways struct {
	bare, option wazero.Runtime
	engine       *sandbox.Engine
}

func newWays(ctx context.Context) (*ways, error) {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false)
	w := &ways{
		bare:   wazero.NewRuntimeWithConfig(ctx, config),
		option: wazero.NewRuntimeWithConfig(ctx, config.WithCloseOnContextDone(true)),
	}
	var err error
	if w.engine, err = sandbox.New(ctx, sandbox.Config{}); err != nil {
		return nil, err
	}
	for _, rt := range []wazero.Runtime{w.bare, w.option} {
		if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *ways) close(ctx context.Context) {
	_ = w.bare.Close(ctx)
	_ = w.option.Close(ctx)
	_ = w.engine.Close(ctx)
}

// compiled is a program in three ways.
type compiled struct {
	ways         *ways
	bare, option wazero.CompiledModule
	module       *sandbox.Module
}

func (w *ways) compile(ctx context.Context, wasm []byte) (*compiled, error) {
	c := &compiled{ways: w}
	var err error
	if c.bare, err = w.bare.CompileModule(ctx, wasm); err != nil {
		return nil, err
	}
	if c.option, err = w.option.CompileModule(ctx, wasm); err != nil {
		return nil, err
	}
	c.module, err = w.engine.Compile(ctx, wasm)
	return c, err
}

func (c *compiled) close(ctx context.Context) {
	_ = c.bare.Close(ctx)
	_ = c.option.Close(ctx)
	_ = c.module.Close(ctx)
}

const farOff = time.Hour

// plain runs a guest on a bare engine.
func plain(ctx context.Context, rt wazero.Runtime, m wazero.CompiledModule, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, farOff)
	defer cancel()
	var out bytes.Buffer
	mod, err := rt.InstantiateModule(ctx, m, wazero.NewModuleConfig().WithName("").WithArgs(args...).WithStdout(&out).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep())
	if exit := (*sys.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 0 {
		err = nil
	}
	if err == nil && mod != nil {
		err = mod.Close(ctx)
	}
	return out.String(), err
}

// metered runs it in the sandbox.
func metered(ctx context.Context, m *sandbox.Module, args []string) (string, uint64, error) {
	var out bytes.Buffer
	res := m.Run(ctx, sandbox.Run{Args: args, Stdout: &out, Memory: 1 << 30, Timeout: farOff})
	if res.Outcome != sandbox.OK {
		return "", 0, fmt.Errorf("%s: %s", res.Outcome, res.Reason)
	}
	return out.String(), res.Fuel, nil
}

// measure runs a guest in all three ways in each round, beginning with another each time. The first round warms up.
func (c *compiled) measure(ctx context.Context, j job, rounds int) (*MeteredGuest, error) {
	g := &MeteredGuest{Language: j.language, Work: j.work}
	args := []string{"guest", j.work, strconv.Itoa(j.size)}
	runs := []func() (string, error){
		func() (string, error) { return plain(ctx, c.ways.bare, c.bare, args) },
		func() (out string, err error) { out, g.Fuel, err = metered(ctx, c.module, args); return out, err },
		func() (string, error) { return plain(ctx, c.ways.option, c.option, args) },
	}
	took := make([][]float64, len(runs))
	want := ""
	for round := range rounds + 1 {
		for i := range runs {
			i = (i + round) % len(runs)
			begun := time.Now()
			out, err := runs[i]()
			if round > 0 {
				took[i] = append(took[i], time.Since(begun).Seconds()*1e3)
			}
			if err != nil {
				return nil, err
			}
			if want == "" {
				want = out
			}
			if out != want || out == "" {
				return nil, fmt.Errorf("it printed %q, and %q before", out, want)
			}
		}
	}
	g.UnmeteredMS, g.MeteredMS, g.OptionMS = median(took[0]), median(took[1]), median(took[2])
	g.Cost, g.Gain = ratio(took[1], took[0]), ratio(took[2], took[1])
	g.BestCost = slices.Min(took[1]) / slices.Min(took[0])
	return g, nil
}

// median is the middle one, or the upper one of the two there.
func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

// ratio is the median of what the rounds say one by one.
func ratio(a, b []float64) float64 {
	var all []float64
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return median(all)
}

func geometricMean(of []MeteredGuest, figure func(*MeteredGuest) float64) float64 {
	sum := 0.0
	for i := range of {
		sum += math.Log(figure(&of[i]))
	}
	return math.Exp(sum / float64(len(of)))
}

func (f *MeteringFigures) rows() [][]string {
	rows := append(f.Machine.rows(), []string{"rounds", number(f.Rounds)}, nil,
		strings.Split("guest|unmetered|metered|option|metered/unmetered|of the best|option/metered|fuel", "|"))
	ms := func(v float64) string { return fmt.Sprintf("%.1f ms", v) }
	times := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	for _, g := range f.Guests {
		rows = append(rows, []string{
			g.Language + " " + g.Work, ms(g.UnmeteredMS), ms(g.MeteredMS), ms(g.OptionMS), times(g.Cost), times(g.BestCost),
			times(g.Gain), fmt.Sprint(g.Fuel),
		})
	}
	best := geometricMean(f.Guests, func(g *MeteredGuest) float64 { return g.BestCost })
	return append(rows,
		[]string{"geometric mean", "", "", "", times(f.MeanCost), times(best), times(f.MeanGain)},
		[]string{"worst", "", "", "", times(f.WorstCost)})
}

// Failed lists the bounds that are broken.
func (f *MeteringFigures) Failed() []string {
	var failed []string
	if f.MeanCost > MeanCostBound {
		failed = append(failed, fmt.Sprintf("metering costs %.3f times in the mean, and may cost %.2f", f.MeanCost, MeanCostBound))
	}
	if f.WorstCost > WorstCostBound {
		failed = append(failed, fmt.Sprintf("metering costs %.2f times at worst, and may cost %.2f", f.WorstCost, WorstCostBound))
	}
	if f.MeanGain < GainBound {
		failed = append(failed, fmt.Sprintf("metering is %.2f times faster than the option, and must be %.1f", f.MeanGain, GainBound))
	}
	return failed
}
