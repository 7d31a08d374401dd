package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/output"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox"
	"github.com/wcron/wcron/sandbox/meter"
)

type execCmd struct {
	File    string            `arg:"" help:"The module."`
	Input   string            `placeholder:"FILE" help:"What the guest reads on stdin, or by Extism's input functions; - is wcron's own stdin. Default: nothing."`
	Env     map[string]string `short:"e" mapsep:"none" placeholder:"K=V" help:"A variable of the guest. May be given more than once."`
	Arg     []string          `short:"a" sep:"none" placeholder:"ARG" help:"An argument of the guest, after its name. May be given more than once."`
	Timeout *config.Duration  `placeholder:"SPAN" help:"How long the guest may run, such as 30s; 0 is without a limit. Default: the manifest's, else 1m."`
	Memory  *config.Size      `placeholder:"SIZE" help:"The most memory of the guest, such as 128MiB. Default: the manifest's, else 64MiB."`
	Fuel    *uint64           `placeholder:"N" help:"How much the guest may compute, about one for each simple instruction; 0 is without a limit. Default: the manifest's, else no limit."`
	Entry   string            `placeholder:"NAME" help:"The exported function to call. Default: the manifest's, else _start, else run."`
	trial
}

// Exit codes of exec for ends that are not the guest's own.
const (
	exitDeadline = 124
	exitTrapped  = 134
	exitKilled   = 137
)

// What a guest's memory may be limited to: a wasm page at least, and all that 32 bits address.
const (
	leastMemory = 64 * config.KiB
	mostMemory  = 4 * config.GiB
)

// Help implements kong.HelpProvider.
func (*execCmd) Help() string {
	return "Runs a module as a job of it would run, once and outside of any schedule: in the same sandbox, with the settings of its manifest unless a flag " +
		"says otherwise. What the manifest requests is not given, unless --grant says so: then HTTP, secrets and folders are real, and what it would start is told. No host and no ledger is involved: the job's state is empty at the begin and gone at the end. Of a configuration, what -c names and no other counts: its limits, compile_timeout and compile_memory.\n\n" +
		"Exit codes: the guest's own (255 if it is more); 124 its deadline passed; 134 it trapped; 137 it was killed, also by ctrl-C; " +
		"2 the command line is wrong or the file is no module that can run; 3 wcron could not serve it. " +
		"With --json: 0 if the outcome is ok, 1 otherwise, and 2 as above."
}

// executed is the answer of exec.
type executed struct {
	File        string  `json:"file"`
	Digest      string  `json:"digest"`
	Outcome     string  `json:"outcome"`
	Cause       *string `json:"cause"`
	ExitCode    *uint32 `json:"exit_code"`
	Reason      *string `json:"reason"`
	StartedAt   string  `json:"started_at"`
	DurationMS  int64   `json:"duration_ms"`
	CompileMS   int64   `json:"compile_ms"`
	MemoryBytes int64   `json:"memory_bytes"`
	Fuel        uint64  `json:"fuel"`
	Stdout      string  `json:"stdout"`
	Stderr      string  `json:"stderr"`
	StdoutCut   int64   `json:"stdout_cut_bytes"`
	StderrCut   int64   `json:"stderr_cut_bytes"`
}

func (c *execCmd) Run(ctx context.Context, a *app) (err error) {
	if c.Memory != nil && (*c.Memory < leastMemory || *c.Memory > mostMemory) {
		return usage("--memory %v: write %v to %v", *c.Memory, leastMemory, mostMemory)
	}
	f, err := c.host(a)
	if err != nil {
		return err
	}
	wasm, imports, settings, err := c.module(f)
	if err != nil {
		return exitError{exitUsage, err}
	}
	stdin, closed, err := c.stdin(a)
	if err != nil {
		return exitError{exitUsage, err}
	}
	defer func() { err = errors.Join(err, closed()) }()
	stdin, input, err := c.input(ctx, imports, stdin)
	if err != nil {
		return err
	}
	engine, err := sandbox.New(ctx, a.sandboxConfig(f, ""))
	if err != nil {
		return unreachable(err)
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	granted, err := c.grants(settings, f.Caps)
	if err != nil {
		return err
	}
	began := a.now()
	m, err := compile(ctx, a, engine, wasm, c.File)
	if err != nil {
		return err
	}
	out := executed{File: c.File, Digest: m.Digest(), CompileMS: milliseconds(a.now().Sub(began))}
	run := c.order(settings, stdin)
	door := c.door(run.Args[0], settings, granted, input)
	run.Input, run.Calls, run.Dirs = input, door.Calls(), granted.Mounts()
	if err := m.CheckEntry(run.Entry); err != nil {
		return exitError{exitUsage, fmt.Errorf("run %s: %w", c.File, err)}
	}
	var record [2]*output.Recorder
	if a.json {
		for i := range record {
			record[i] = output.New("exec", output.Config{Limit: settings.Output, Inline: settings.Output})
		}
		run.Stdout, run.Stderr = record[0], record[1]
	} else {
		run.Stdout, run.Stderr = newStream(nil, a.stdout), newStream(nil, a.stderr)
	}
	began = a.now()
	res := m.Run(ctx, run)
	if res.Outcome == sandbox.OK {
		tellEmits(a.stderr, door.Emits())
	}
	if !a.json {
		return c.end(a, res)
	}
	out.fill(res, began, a.now())
	if out.Stdout, out.StdoutCut, err = recorded(record[0]); err == nil {
		out.Stderr, out.StderrCut, err = recorded(record[1])
	}
	if err = errors.Join(err, a.emit(out)); err == nil && res.Outcome != sandbox.OK {
		err = exitError{code: exitBad}
	}
	return err
}

// host is the configuration whose limits hold: the one that -c names, and no other, since exec is not about a configuration.
func (c *execCmd) host(a *app) (*config.File, error) {
	if a.config == "" {
		return config.Default("."), nil
	}
	return a.load()
}

// module reads the file, what it imports and what its manifest asks for.
func (c *execCmd) module(f *config.File) ([]byte, []meter.Import, config.Settings, error) {
	none := config.Settings{}
	file, err := os.Stat(c.File)
	if err != nil {
		return nil, nil, none, err
	}
	if !file.Mode().IsRegular() {
		return nil, nil, none, fmt.Errorf("%s is not a plain file; name a module", c.File)
	}
	if file.Size() > f.Limits.ModuleSize {
		return nil, nil, none, fmt.Errorf("%s has %d bytes, and a module may have %d; build a smaller one, or raise limits.module_size in a host file and name it with -c",
			c.File, file.Size(), f.Limits.ModuleSize)
	}
	wasm, err := os.ReadFile(c.File)
	if err != nil {
		return nil, nil, none, err
	}
	info, err := meter.Check(wasm, plugins.Limits(f.Limits))
	if err != nil {
		return nil, nil, none, fmt.Errorf("%s: %w; see wcron check %s", c.File, err, quoted(c.File))
	}
	text, ok, err := meter.Custom(wasm, "wcron.manifest")
	if err != nil {
		return nil, nil, none, fmt.Errorf("%s: %w", c.File, err)
	}
	var asked config.Job
	if ok {
		if asked, err = config.ParseJob(c.File+" (manifest)", bytes.Clone(text), config.KindManifest); err != nil {
			return nil, nil, none, err
		}
	}
	return wasm, info.Imports, asked.Resolve(), nil
}

// order is what the run is given: the manifest's settings under the flags.
func (c *execCmd) order(s config.Settings, stdin io.Reader) sandbox.Run {
	name := strings.TrimSuffix(filepath.Base(c.File), ".wasm")
	run := sandbox.Run{
		Args: append([]string{name}, s.Args...), Stdin: stdin, Entry: s.Entry, Memory: s.Memory, Fuel: uint64(s.Fuel), Timeout: s.Timeout,
		Env: []string{"WCRON_JOB=" + name},
	}
	if len(c.Arg) > 0 {
		run.Args = append(run.Args[:1], c.Arg...)
	}
	if c.Entry != "" {
		run.Entry = c.Entry
	}
	if c.Memory != nil {
		run.Memory = int64(*c.Memory)
	}
	if c.Fuel != nil {
		run.Fuel = *c.Fuel
	}
	if c.Timeout != nil {
		run.Timeout = time.Duration(*c.Timeout)
	}
	for k, v := range s.Env {
		if _, over := c.Env[k]; !over {
			run.Env = append(run.Env, k+"="+v)
		}
	}
	for k, v := range c.Env {
		run.Env = append(run.Env, k+"="+v)
	}
	return run
}

// stdin opens what the guest reads. closed is to be called once the guest is gone.
func (c *execCmd) stdin(a *app) (r io.Reader, closed func() error, err error) {
	switch c.Input {
	case "":
		return nil, func() error { return nil }, nil
	case "-":
		return newStream(a.stdin, nil), func() error { return nil }, nil
	}
	f, err := os.Open(c.Input)
	if err != nil {
		return nil, nil, err
	}
	return newStream(f, nil), f.Close, nil
}

// maxInput is how much a guest may read by Extism's input functions, in bytes.
const maxInput = 4 << 20

// input is what a guest reads by Extism's input functions and wcron_event, which know how long it is: all of stdin, read before the guest starts. It is
// on stdin as well. A module that does not import them has a stdin that may go on for ever.
func (c *execCmd) input(ctx context.Context, imports []meter.Import, stdin io.Reader) (io.Reader, []byte, error) {
	reads := slices.ContainsFunc(imports, func(i meter.Import) bool {
		return i.Module == "extism:host/env" && strings.HasPrefix(i.Name, "input_") || i.Module == "extism:host/user" && i.Name == "wcron_event"
	})
	if stdin == nil || !reads {
		return stdin, nil, nil
	}
	var text []byte
	var err error
	read := make(chan struct{})
	go func() {
		defer close(read)
		text, err = io.ReadAll(io.LimitReader(stdin, maxInput+1))
	}()
	select {
	case <-ctx.Done():
		return nil, nil, exitError{exitKilled, fmt.Errorf("read --input %s: interrupted", c.Input)}
	case <-read:
	}
	switch {
	case err != nil:
		return nil, nil, usage("read --input %s: %w", c.Input, err)
	case len(text) > maxInput:
		return nil, nil, usage("--input %s has more than %s, and %s reads it by Extism's input functions or wcron_event; give it less", c.Input, meter.FormatBytes(maxInput), c.File)
	}
	return bytes.NewReader(text), text, nil
}

// compile compiles the module, and says on stderr that it takes its time if it does.
func compile(ctx context.Context, a *app, engine *sandbox.Engine, wasm []byte, name string) (*sandbox.Module, error) {
	slow := time.AfterFunc(2*time.Second, func() {
		fmt.Fprintf(a.stderr, "wcron: compiling %s, which has %s...\n", name, meter.FormatBytes(int64(len(wasm))))
	})
	defer slow.Stop()
	m, err := engine.Compile(ctx, wasm)
	switch {
	case ctx.Err() != nil:
		return nil, exitError{exitKilled, fmt.Errorf("compile %s: interrupted", name)}
	case err != nil:
		return nil, exitError{blame(err, exitUsage), fmt.Errorf("compile %s: %w", name, err)}
	}
	return m, nil
}

// end tells how the run ended, where the exit code alone does not.
func (c *execCmd) end(a *app, res sandbox.Result) error {
	var code int
	switch res.Outcome {
	case sandbox.OK:
		return nil
	case sandbox.Timeout:
		code = exitDeadline
	case sandbox.Trapped:
		code = exitTrapped
	case sandbox.Killed:
		code = exitKilled
	default:
		if res.HasExit {
			return exitError{code: int(min(res.ExitCode, 255))}
		}
		code = exitUnreachable
	}
	return exitError{code, fmt.Errorf("%s: %s: %s", c.File, res.Outcome, res.Reason)}
}

func (e *executed) fill(res sandbox.Result, began, ended time.Time) {
	e.Outcome, e.StartedAt, e.DurationMS, e.MemoryBytes = string(res.Outcome), began.Format(time.RFC3339Nano), milliseconds(ended.Sub(began)), res.MemoryPeak
	e.Fuel = res.Fuel
	if res.Cause != "" {
		cause := string(res.Cause)
		e.Cause = &cause
	}
	if res.Reason != "" {
		e.Reason = &res.Reason
	}
	if res.HasExit {
		e.ExitCode = &res.ExitCode
	}
}

// recorded is what a recorder kept, and how much it did not.
func recorded(r *output.Recorder) (string, int64, error) {
	kept, err := r.Finish()
	r.Discard()
	return string(kept.Inline), kept.Cut, err
}
