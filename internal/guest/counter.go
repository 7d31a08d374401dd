package guest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/internal/guest/asm"
)

// The keys of the state that Counter and Witness keep: the id of the run that wrote it, and how many runs have written. ReadCount
// reads their values.
const (
	CountBy = "by"
	CountN  = "n"
)

// Where a counter keeps things in its memory.
const (
	runHex  = 512     // the run id without its dashes
	readBy  = 544     // what was read: the id of a run, zeros if there is none,
	readN   = 576     // and the count
	answers = 0x20000 // of wcron_state: the variables stand before
	hexLen  = 32
	nLen    = 8
)

// counter adds two functions: know() reads the run id, and traps where WCRON_RUN_ID is not set; count() reads the state and
// writes the run id and a count that is larger by one, and traps where the state refuses. wrote is where the new count stands.
// Values travel as base64: the digits of a run id, and those of a number with eight digits, are taken for that as they are.
func (p *program) counter() (know, count uint32, wrote int64) {
	getenv, ask := p.getenv(), p.asker(answers)
	request := func(text string) (code asm.Code, value int64) {
		at := p.constEnd
		return p.text(text), int64(at) + int64(strings.Index(text, `"value":"`)+len(`"value":"`))
	}
	setBy, by := request(`{"op":"set","key":"` + CountBy + `","value":"` + strings.Repeat("0", hexLen) + `"}`)
	setN, n := request(`{"op":"set","key":"` + CountN + `","value":"` + strings.Repeat("0", nLen) + `"}`)
	p.Data(readBy, []byte(strings.Repeat("0", hexLen)))
	p.Data(readN, []byte(strings.Repeat("0", nLen)))
	move := func(to, from asm.Code, n int) asm.Code { return asm.Cat(to, from, asm.I32(int64(n)), asm.MemoryCopy) }
	read := func(key string, to int64, n int) asm.Code {
		const found, value = len(`{"found":`), len(`{"found":true,"value":"`)
		return asm.Cat(p.text(`{"op":"get","key":"`+key+`"}`), asm.Call(ask), asm.Drop,
			asm.I32(answers), asm.Load8(uint32(found)), asm.I32('t'), asm.Eq,
			asm.If(move(asm.I32(to), asm.I32(answers+int64(value)), n)))
	}
	set := func(request asm.Code) asm.Code {
		return asm.Cat(request, asm.Call(ask), asm.I32(int64(len("{}"))), asm.Ne, asm.If(asm.Unreachable))
	}
	const id = 0
	var dashless asm.Code
	for _, part := range []struct{ to, from, n int }{{0, 0, 8}, {8, 9, 4}, {12, 14, 4}, {16, 19, 4}, {20, 24, 12}} {
		dashless = asm.Cat(dashless, move(asm.I32(runHex+int64(part.to)), asm.Cat(asm.Get(id), asm.I32(int64(part.from)), asm.Add), part.n))
	}
	know = p.Func(nil, nil, []asm.Type{i32},
		p.text("WCRON_RUN_ID="), asm.Call(getenv), asm.Tee(id), asm.Eqz, asm.If(asm.Unreachable), dashless)
	const digit = 0
	count = p.Func(nil, nil, []asm.Type{i32},
		read(CountBy, readBy, hexLen), read(CountN, readN, nLen),
		move(asm.I32(by), asm.I32(runHex), hexLen), move(asm.I32(n), asm.I32(readN), nLen),
		asm.I32(n+nLen-1), asm.Set(digit),
		asm.Loop(
			asm.Get(digit), asm.Load8(0), asm.I32('9'), asm.Eq,
			asm.If(asm.Get(digit), asm.I32('0'), asm.Store8(0), increase(digit, -1), asm.Br(1)),
			asm.Get(digit), asm.Get(digit), asm.Load8(0), asm.I32(1), asm.Add, asm.Store8(0)),
		set(setBy), set(setN))
	return know, count, n
}

// Counter reads its job's state, writes its run id and a count that is larger by one into it, sleeps and exits with 0.
func Counter(nap time.Duration) []byte {
	p := newProgram("proc_exit", "environ_sizes_get", "environ_get", "poll_oneoff")
	p.pages = 3
	p.importState()
	know, count, _ := p.counter()
	return p.main(nil, asm.Call(know), asm.Call(count), asm.I32(scratch+64), asm.I64(int64(nap)), asm.Store64(24), p.poll(scratch+64))
}

// poll is code that waits as the subscription at an address says, by the monotonic clock.
func (p *program) poll(subscription int64) asm.Code {
	const monotonic = 1
	const event, events = scratch + 128, scratch + 192
	return asm.Cat(
		asm.I32(subscription), asm.I32(monotonic), asm.Store(16),
		asm.I32(subscription), asm.I32(event), asm.I32(1), asm.I32(events), p.call("poll_oneoff"), asm.If(asm.Unreachable))
}

// ReadCount reads the two values of a counter's state: the id of the run that wrote it, and its count.
func ReadCount(by, n []byte) (run string, count int, err error) {
	hex, digits := base64.StdEncoding.EncodeToString(by), base64.StdEncoding.EncodeToString(n)
	if len(hex) != hexLen || len(digits) != nLen {
		return "", 0, fmt.Errorf("the state of a counter is %q by %q", digits, hex)
	}
	if count, err = strconv.Atoi(digits); err != nil {
		return "", 0, fmt.Errorf("the count of a counter is %q: %w", digits, err)
	}
	return strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-"), count, nil
}
