package plugins

import (
	"strings"
)

// kind is what a name in the plugin folder says that the file is.
type kind int

const (
	other   kind = iota // nothing of ours: not looked at
	module              // NAME.wasm
	sidecar             // NAME.toml
	oddCase             // .WASM or .Toml: almost ours, so worth a word
)

const (
	moduleExt  = ".wasm"
	sidecarExt = ".toml"
)

// kindOf sorts a file name. Hidden files and what editors and copying tools leave behind while they write are nothing of ours:
// ".x.wasm.swp", "..data", ".#x.toml", "#x.toml#", "x.wasm~", "4913", "x.wasm.tmp", "x.wasm.part".
func kindOf(name string) (k kind, base string) {
	if strings.HasPrefix(name, ".") || (strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#")) {
		return other, ""
	}
	if base, ok := strings.CutSuffix(name, moduleExt); ok {
		return module, base
	}
	if base, ok := strings.CutSuffix(name, sidecarExt); ok {
		return sidecar, base
	}
	if lower := strings.ToLower(name); strings.HasSuffix(lower, moduleExt) || strings.HasSuffix(lower, sidecarExt) {
		return oddCase, ""
	}
	return other, ""
}
