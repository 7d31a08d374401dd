package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wcron/wcron/config"
)

// templates are the files of new projects: those of a language, and those that all have in common. {{NAME}} stands for the job's name.
//
//go:embed templates
var templates embed.FS

type newCmd struct {
	Lang string `enum:"go,c,rust" default:"go" help:"The language: go, c or rust."`
	Name string `arg:"" help:"The job's name, and the folder that is made."`
}

// Help implements kong.HelpProvider.
func (*newCmd) Help() string {
	return "Makes the folder NAME with a job that works, its manifest plugin.toml, an event to try it with, and build.sh and build.bat, which build, test, pack and try it. " +
		"README.md says which tools that needs.\n\n" +
		"Exit codes: 0 made; 1 the folder is there already; 2 it cannot be made, or the command line is wrong."
}

// newProject is the answer of new.
type newProject struct {
	Folder string   `json:"folder"`
	Files  []string `json:"files"`
}

// Run makes the project.
func (c *newCmd) Run(_ context.Context, a *app) error {
	if err := config.ValidName(c.Name); err != nil {
		return usage("%w", err)
	}
	dir, err := filepath.Abs(c.Name)
	if err != nil {
		return usage("%w", err)
	}
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return exitError{exitBad, fmt.Errorf("%s is there already; choose another name, or remove it", dir)}
	}
	if err != nil {
		return usage("make %s: %w; choose a folder that you may write to", dir, err)
	}
	p := newProject{Folder: dir}
	for _, from := range []string{"common", c.Lang} {
		files, err := c.write(dir, from)
		if err != nil {
			return usage("write into %s: %w", dir, err)
		}
		p.Files = append(p.Files, files...)
	}
	slices.Sort(p.Files)
	if a.json {
		return a.emit(p)
	}
	fmt.Fprintf(a.stdout, "made %s: %s\nnext: sh %s, on Windows build.bat there; then copy %s.wasm into the plugin folder\n",
		dir, strings.Join(p.Files, ", "), quoted(filepath.Join(dir, "build.sh")), c.Name)
	return nil
}

// write fills in the files of one folder of templates.
func (c *newCmd) write(dir, from string) (names []string, err error) {
	entries, err := templates.ReadDir(path.Join("templates", from))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := templates.ReadFile(path.Join("templates", from, e.Name()))
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(e.Name(), ".tmpl")
		if name == "gitignore" {
			name = ".gitignore"
		}
		out := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "{{NAME}}", c.Name)
		mode := fs.FileMode(0o644)
		switch path.Ext(name) {
		case ".sh":
			mode = 0o755
		case ".bat":
			out = strings.ReplaceAll(out, "\n", "\r\n")
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(out), mode); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
