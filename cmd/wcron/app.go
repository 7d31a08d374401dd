package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/alecthomas/kong"

	"github.com/wcron/wcron/config"
)

// Exit codes of all commands but exec, which has those of its guest besides.
const (
	exitBad         = 1 // it ran, and the answer is bad: a problem was found, the run failed, there is no such job
	exitUsage       = 2 // the command line or the configuration is at fault
	exitUnreachable = 3 // the ledger or a host could not be reached or used
	exitInterrupted = 130
)

// exitError ends the program with a code. Without err nothing is printed: the command has said everything.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usage is an error of the command line or of the configuration.
func usage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// unreachable is an error of the ledger or of a host.
func unreachable(err error) error { return exitError{exitUnreachable, err} }

// app is what every command is given: the streams, the clock, and the flags that all of them share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	getenv         func(string) string

	config string // the host file as given with -c; empty: config.Locate looks for it
	json   bool
}

// shared are the flags that every command has.
type shared struct {
	Config string `short:"c" placeholder:"FILE" help:"The host file. Default: wcron.toml here, then in the user's and in the system's configuration folder."`
	JSON   bool   `name:"json" help:"One JSON object per line, for programs."`
}

// grammar is the command line. The commands that ask and change a ledger have a struct of their own.
type grammar struct {
	shared

	Demo  demoCmd  `cmd:"" help:"See a wedged job, a failing one and a punctual one side by side, and the proof."`
	Init  initCmd  `cmd:"" help:"Make a folder with a configuration and one job."`
	Serve serveCmd `cmd:"" help:"Run the jobs until a signal comes."`

	operatorCommands

	Simulate simulateCmd `cmd:"" help:"Play the jobs on a virtual clock: what would run, wait, be skipped or missed over a year."`
	Import   importCmd   `cmd:"" help:"Make jobs of a crontab: their schedules, and what could not be carried over."`

	Inspect inspectCmd `cmd:"" help:"Say all that is known of a module, without compiling it: settings, imports, requests, next times."`
	Pack    packCmd    `cmd:"" help:"Put a manifest into a module."`
	New     newCmd     `cmd:"" help:"Make a project for a job, in Go, C or Rust."`
	Check   checkCmd   `cmd:"" help:"Say everything that is wrong with the configuration and the plugins, without running any."`
	Exec    execCmd    `cmd:"" help:"Run one module once in the sandbox."`
	Doctor  doctorCmd  `cmd:"" help:"Say whether this machine tells its processes apart."`
	Version versionCmd `cmd:"" help:"Say which wcron this is."`
}

const about = "wcron runs WebAssembly jobs on their schedules, each in a sandbox of its own.\n\n" +
	"Exit codes of all commands: 0 done, 1 the answer is bad, 2 usage or configuration, 3 the ledger or a host could not be reached."

// helped unwinds from kong's help flag, which expects the process to end in it.
type helped int

// run is the program: it parses the arguments, runs the command and returns the exit code. ctx that it gives to the command ends at
// the first signal; the second one ends the process, unless the command catches signals itself.
func run(ctx context.Context, args []string, a *app) (code int) {
	defer func() {
		if p := recover(); p != nil {
			h, ok := p.(helped)
			if !ok {
				panic(p)
			}
			code = int(h)
		}
	}()
	if len(args) > 0 && args[0] == compileWorker {
		return a.compileWorker(ctx, args[1:])
	}
	if len(args) == 1 && args[0] == linger {
		return lingering(a)
	}
	var g grammar
	parser, err := kong.New(&g, kong.Name("wcron"), kong.Description(about), kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { panic(helped(code)) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		return a.fail(fmt.Errorf("read the grammar of the command line: %w", err))
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		hint := "wcron --help"
		var pe *kong.ParseError
		if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
			hint = "wcron " + pe.Context.Selected().Name + " --help"
		}
		return a.fail(usage("%w; see %s", err, hint))
	}
	a.config, a.json = g.Config, g.JSON

	ctx, stop := signal.NotifyContext(ctx, endingSignals()...)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // the next signal has its usual effect
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(a); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return exitInterrupted
		}
		return a.fail(err)
	}
	return 0
}

// fail prints an error and chooses the exit code.
func (a *app) fail(err error) int {
	code := exitBad
	var e exitError
	if errors.As(err, &e) {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	var refused *config.Error
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			fmt.Fprintln(a.stderr, printable(p.String()))
		}
		fmt.Fprintf(a.stderr, "wcron: the configuration is refused; mend what is listed above, then see wcron check\n")
		return exitUsage
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "wcron: " + line
		}
		fmt.Fprintln(a.stderr, printable(line))
	}
	return code
}

// emit prints one JSON object on a line of its own. What a terminal would obey is escaped.
func (a *app) emit(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := a.stdout.Write(escaped(line.Bytes()))
	return err
}

// escaped is JSON in which characters that do not show as themselves, which stand in texts alone, are written as escapes.
func escaped(line []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !bytes.ContainsFunc(line, hidden) {
		return line
	}
	var out bytes.Buffer
	for _, r := range string(line) {
		switch {
		case !hidden(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

// locate finds the host file. A configuration that is not there is an error of usage.
func (a *app) locate() (string, error) {
	path, err := config.Locate(a.config)
	if errors.Is(err, config.ErrNotFound) {
		return "", usage("%w; wcron init DIR makes one", err)
	}
	if err != nil {
		return "", exitError{exitUsage, err}
	}
	return path, nil
}

// load locates and reads the host file alone.
func (a *app) load() (*config.File, error) {
	path, err := a.locate()
	if err != nil {
		return nil, err
	}
	f, err := config.Load(path)
	if err != nil {
		return nil, exitError{exitUsage, fmt.Errorf("%w; name another one with -c", err)}
	}
	return f, nil
}

// file returns the stream as a file if it is one.
func file(w any) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok
}
