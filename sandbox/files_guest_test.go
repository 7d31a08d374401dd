package sandbox

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest/asm"
)

// call is a call of WASI: numbers, and strings for an address and a length.
type wasiCall struct {
	name string
	args []any
}

// The first folder of a run, and the first file that is opened there.
const (
	firstDir  = 3
	firstFile = 4
)

// All rights that matter.
const both = int64(rightRead | rightWrite)

// openAt is path_open; the descriptor is written to address 0.
func openAt(path string, follow int64, flags, rights int64) wasiCall {
	return wasiCall{"path_open", []any{int64(firstDir), follow, path, flags, rights, int64(0), int64(0), int64(0)}}
}

// show reads from the file and writes what it reads to stdout.
func show() []wasiCall {
	return []wasiCall{{"fd_read", []any{int64(firstFile), int64(16), int64(1), int64(8)}}, {"fd_write", []any{int64(1), int64(32), int64(1), int64(12)}}}
}

// put writes a text to the file.
func put(text string) wasiCall { return wasiCall{"put", []any{text}} }

// fileGuest makes calls one after the other, and exits with the errno of the first that fails. With a count it makes all of them
// so often, whatever they give.
func fileGuest(e *Engine, times int64, calls ...wasiCall) []byte {
	var m asm.Module
	imports := map[string]uint32{}
	for f, def := range e.provided {
		if f.module == wasiModule {
			imports[f.name] = m.Import(f.module, f.name, def.ParamTypes(), def.ResultTypes())
		}
	}
	m.Memory(4, 4)
	at := int64(64 << 10)
	text := func(s string) asm.Code {
		m.Data(uint32(at), []byte(s))
		code := asm.Cat(asm.I32(at), asm.I32(int64(len(s))))
		at += int64(len(s))
		return code
	}
	const errno, i = 0, 1
	var code asm.Code
	for _, c := range calls {
		name := c.name
		if name == "put" {
			name = "fd_write"
			where := text(c.args[0].(string))
			code = append(code, asm.Cat(asm.I32(40), where[:len(where)-len(asm.I32(int64(len(c.args[0].(string)))))], asm.Store(0),
				asm.I32(44), asm.I32(int64(len(c.args[0].(string)))), asm.Store(0),
				asm.I32(firstFile), asm.I32(40), asm.I32(1), asm.I32(12))...)
		} else {
			def := e.provided[imported{wasiModule, name}].ParamTypes()
			k := 0
			for _, a := range c.args {
				if s, ok := a.(string); ok {
					code, k = append(code, text(s)...), k+2
					continue
				}
				if def[k] == asm.TypeI64 {
					code = append(code, asm.I64(a.(int64))...)
				} else {
					code = append(code, asm.I32(a.(int64))...)
				}
				k++
			}
			if k != len(def) {
				panic(name + " has another number of arguments")
			}
		}
		code = append(code, asm.Cat(asm.Call(imports[name]), asm.Tee(errno))...)
		switch {
		case times > 0:
			code = append(code, asm.Drop...)
		case name == "fd_read": // what was read is what is written
			code = append(code, asm.Cat(asm.If(asm.Get(errno), asm.Return), asm.I32(36), asm.I32(8), asm.Load(0), asm.Store(0))...)
		default:
			code = append(code, asm.If(asm.Get(errno), asm.Return)...)
		}
	}
	prepare := asm.Cat(asm.I32(16), asm.I32(1024), asm.Store(0), asm.I32(20), asm.I32(4096), asm.Store(0), asm.I32(32), asm.I32(1024), asm.Store(0))
	if times > 0 {
		code = asm.Loop(prepare, asm.I32(36), asm.I32(0), asm.Store(0), code, asm.Get(i), asm.I32(1), asm.Add, asm.Tee(i), asm.I32(times), asm.LtU, asm.BrIf(0))
	} else {
		code = asm.Cat(prepare, code)
	}
	m.Export("run", asm.KindFunc, m.Func(nil, oneResult, []asm.Type{asm.TypeI32, asm.TypeI32}, code, asm.I32(0)))
	return m.Bytes()
}

// site is a folder that is given to guests, and one beside it that they must never reach.
type site struct {
	t               *testing.T
	inside, outside string
	before          map[string]string
}

func newSite(t *testing.T) *site {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, inside: filepath.Join(top, "inside"), outside: filepath.Join(top, "outside")}
	for _, d := range []string{s.inside, filepath.Join(s.inside, "sub"), s.outside, filepath.Join(s.outside, "empty")} {
		s.must(os.Mkdir(d, 0o755))
	}
	s.must(os.WriteFile(filepath.Join(s.outside, "secret"), []byte("SECRET"), 0o644))
	s.must(os.WriteFile(filepath.Join(s.inside, "plain"), []byte("plain"), 0o644))
	s.must(os.WriteFile(filepath.Join(s.inside, "sub", "deep"), []byte("deep"), 0o644))
	for link, target := range map[string]string{
		"abs": filepath.Join(s.outside, "secret"), "absdir": s.outside, "up": "../outside/secret", "updir": "../outside", "dotdot": "..",
		"root": "/", "etc": "/etc", "chain": "updir", "loop": "loop", "dangling": "../outside/made", "absdangling": filepath.Join(s.outside, "made"),
		"sub/up2": "../../outside", "sub/back": "../plain", "within": "sub/deep", "self": ".", "absself": s.inside,
	} {
		if err := os.Symlink(filepath.FromSlash(target), filepath.Join(s.inside, filepath.FromSlash(link))); err != nil {
			t.Skipf("this system lets us make no links: %v", err)
		}
	}
	s.before = s.look()
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// look is everything in the folder outside.
func (s *site) look() map[string]string {
	seen := map[string]string{}
	s.must(filepath.WalkDir(s.outside, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(b)
		}
		seen[path] = info.Mode().String() + " " + info.ModTime().String() + " " + content
		return nil
	}))
	return seen
}

// untouched makes sure that nothing outside has changed.
func (s *site) untouched() {
	s.t.Helper()
	if now := s.look(); !maps.Equal(now, s.before) {
		s.t.Errorf("outside there is now %v, before %v", now, s.before)
	}
}

// run runs calls with the folder inside at /data.
func (s *site) run(e *Engine, write bool, calls ...wasiCall) (res Result, stdout string) {
	s.t.Helper()
	var out bytes.Buffer
	res = compile(s.t, e, fileGuest(e, 0, calls...)).Run(context.Background(), Run{
		Stdout: &out, Timeout: patience, Dirs: []Dir{{Guest: "/data", Host: s.inside, Write: write}},
	})
	return res, out.String()
}

func withoutSecret(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "SECRET") {
		t.Errorf("the secret is in %q", text)
	}
}
