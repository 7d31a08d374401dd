package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wcron/wcron/sandbox/meter"
)

// This file is all that knows how running code is stopped. The guest counts its fuel by slices; when one is spent it
// calls nextSlice, which is where a run ends, where another guest gets its turn, and where the collector can stop the
// goroutine, since no native code of the guest is on the processor then.

// A slice aims at this time. Its fuel follows what the last one took, within bounds: small enough that a guest whose
// instructions suddenly are slow is back soon, large enough that asking costs little.
const (
	sliceTime  = time.Millisecond
	firstSlice = 100_000
	leastSlice = 10_000
	mostSlice  = 1_000_000
)

// stopping is the part of an execution that meters it.
type stopping struct {
	tokens   *tokens
	deadline time.Time // zero if there is none

	limit   uint64 // of fuel; 0 if there is none
	granted int64  // fuel in all slices so far
	slice   int64
	begun   time.Time // of the slice, moved by what was not the guest's time
	turned  time.Time // when it was last somebody else's turn, if others waited
	left    api.Global
	holding bool        // a token
	lender  *time.Timer // for calls of the caller's
}

// executionKey is under which the execution stands in the context of its calls.
type executionKey struct{}

// provideSlices makes the function that metered modules import.
func provideSlices(ctx context.Context, rt wazero.Runtime) error {
	i64 := api.ValueTypeI64
	_, err := rt.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			x := ctx.Value(executionKey{}).(*execution)
			stack[0] = uint64(x.nextSlice(mod, int64(stack[0]), int64(stack[1])))
		}), []api.ValueType{i64, i64}, []api.ValueType{i64}).
		Export(meter.ImportName).Instantiate(ctx)
	return err
}

// begin prepares the metering of a run and waits for its turn. It fails if the context is done first.
func (x *execution) begin(e *Engine, fuel uint64) bool {
	x.ctx = context.WithValue(x.ctx, executionKey{}, x)
	x.tokens, x.limit, x.slice = e.tokens, fuel, firstSlice
	x.deadline, _ = x.ctx.Deadline()
	x.holding = x.tokens.take(x.ctx)
	x.begun = time.Now()
	x.turned = x.begun
	return x.holding
}

// finish gives the token back.
func (x *execution) finish() {
	if x.holding {
		x.tokens.give()
		x.holding = false
	}
}

// nextSlice is called by the guest when its fuel or its stack is used up. It returns the fuel of its next slice, or ends
// it.
func (x *execution) nextSlice(mod api.Module, left, room int64) int64 {
	if x.left == nil {
		x.left = mod.ExportedGlobal(meter.FuelExport)
	}
	if room < 0 {
		x.overflow()
	}
	spent := uint64(x.granted - left)
	if x.limit > 0 && spent > x.limit {
		x.halt(ending{Killed, FuelLimit, fmt.Sprintf("it used up its fuel of %d; raise fuel", x.limit)})
	}
	now := time.Now()
	x.adapt(now.Sub(x.begun))
	x.begun = x.yield(now)
	grant := x.slice
	if x.limit > 0 {
		grant = int64(min(uint64(grant), x.limit-spent))
	}
	x.granted = int64(spent) + grant
	return grant
}

// adapt chooses the next slice by the time that the last one took.
func (x *execution) adapt(took time.Duration) {
	if x.granted == 0 {
		return // there was none yet
	}
	want := 2 * x.slice
	if took > sliceTime/2 {
		want = max(int64(float64(x.slice)*float64(sliceTime)/float64(took)), x.slice/8)
	}
	x.slice = min(max(want, leastSlice), mostSlice)
}

// checkDeadline ends a guest whose deadline has passed before the scheduler came to say so.
func (x *execution) checkDeadline(now time.Time) {
	if !x.deadline.IsZero() && !now.Before(x.deadline) && x.ctx.Err() == nil {
		x.halt(ending{Timeout, Deadline, errDeadline.Error()})
	}
}

// overflow ends a guest whose calls nest too deeply. Its own stack trace comes with the error.
func (x *execution) overflow() {
	end := ending{Trapped, Trap, stackOverflow}
	x.halted = &end
	panic(errOverflow{})
}

const stackOverflow = "wasm error: stack overflow"

type errOverflow struct{}

func (errOverflow) Error() string { return stackOverflow }

// fuel is what the run has used so far.
func (x *execution) fuel() uint64 {
	if x.left == nil {
		return 0
	}
	return uint64(x.granted - int64(x.left.Get()))
}

// asleep lets another guest compute while this one certainly waits.
func (x *execution) asleep(wait func()) {
	x.finish()
	wait()
	x.resume()
}

// resume waits for the turn of a guest that comes back from waiting, or ends it.
func (x *execution) resume() {
	x.holding = x.tokens.take(x.ctx)
	x.begun = time.Now()
	x.turned = x.begun
	if !x.holding {
		x.checkContext()
	}
}

// turn is called between the steps of a long operation of the host: a guest that makes it do much computes as well.
func (x *execution) turn() {
	now := time.Now()
	x.begun = x.begun.Add(x.yield(now).Sub(now))
}

// yield ends the guest if it must end. Otherwise it lets others compute, if that is due: yielding costs more than asking,
// and a slice can be short. It returns the time then.
func (x *execution) yield(now time.Time) time.Time {
	x.checkDeadline(now)
	x.checkContext()
	if now.Sub(x.turned) < sliceTime {
		return now
	}
	if !x.tokens.rotate(x.ctx) {
		x.holding = false
		x.checkContext()
	}
	x.turned = time.Now()
	return x.turned
}

// halt ends the guest from within a host function, and does not return.
func (x *execution) halt(end ending) {
	x.halted = &end
	panic(sys.NewExitError(sys.ExitCodeContextCanceled))
}
