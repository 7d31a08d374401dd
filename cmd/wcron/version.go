package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Help implements kong.HelpProvider.
func (*versionCmd) Help() string { return "Exit codes: 0 always." }

// build is what a binary knows of itself.
type build struct {
	Version  string  `json:"version"`
	Revision *string `json:"revision"` // of the version control, with "+dirty" when files differed
	Built    *string `json:"revision_at"`
	Go       string  `json:"go"`
	Platform string  `json:"platform"`
	Engine   string  `json:"engine"`
}

func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Engine: engine(runtime.GOOS, runtime.GOARCH)}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = &s.Value
		case "vcs.time":
			b.Built = &s.Value
		case "vcs.modified":
			if s.Value == "true" && b.Revision != nil {
				dirty := *b.Revision + "+dirty"
				b.Revision = &dirty
			}
		}
	}
	return b
}

// engine says how modules run on a platform: where the engine has no compiler they are interpreted, which is much slower.
func engine(goos, goarch string) string {
	compiled := map[string][]string{
		"amd64": {"linux", "darwin", "freebsd", "netbsd", "dragonfly", "solaris", "illumos", "windows"},
		"arm64": {"linux", "darwin", "freebsd", "netbsd", "windows"},
	}
	for _, os := range compiled[goarch] {
		if os == goos {
			return "compiler"
		}
	}
	return "interpreter"
}

func (c *versionCmd) Run(_ context.Context, a *app) error {
	b := thisBuild()
	if a.json {
		return a.emit(b)
	}
	fmt.Fprintf(a.stdout, "wcron %s\n", b.Version)
	if b.Revision != nil {
		fmt.Fprintf(a.stdout, "revision %s", *b.Revision)
		if b.Built != nil {
			fmt.Fprintf(a.stdout, " of %s", *b.Built)
		}
		fmt.Fprintln(a.stdout)
	}
	fmt.Fprintf(a.stdout, "%s on %s, modules run by the %s\n", b.Go, b.Platform, b.Engine)
	return nil
}
