package meter

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// checkHeader looks at the first eight bytes, and names the common things that are not a module.
func checkHeader(wasm []byte) *Error {
	if len(wasm) == 0 {
		return errorAt(0, "the file is empty")
	}
	if !bytes.HasPrefix(wasm, []byte("\x00asm")) {
		return errorAt(0, "%s", notWasm(wasm))
	}
	if len(wasm) < 8 {
		return errorAt(len(wasm), "the file ends within its header; it is damaged or not yet written to its end")
	}
	switch version := binary.LittleEndian.Uint32(wasm[4:]); version {
	case 1:
		return nil
	case 0x0001000d:
		return errorAt(4, "this is a component, and wcron runs core modules: build for wasip1 (Go: GOOS=wasip1, "+
			"Rust: --target wasm32-wasip1, TinyGo: -target=wasip1), or take the core module out of it with "+
			"`wasm-tools component unbundle`")
	default:
		return errorAt(4, "binary format version %#x is unknown; wcron runs version 1", version)
	}
}

// notWasm says what a file without the magic number probably is.
func notWasm(b []byte) string {
	head := b[:min(len(b), 512)]
	trimmed := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	has := func(prefix string) bool { return bytes.HasPrefix(head, []byte(prefix)) }
	switch {
	case has("\x7fELF"), has("\xcf\xfa\xed\xfe"), has("\xca\xfe\xba\xbe"), has("MZ"):
		return "this is a native program, not a WebAssembly module: build it for wasip1 (Go: GOOS=wasip1 GOARCH=wasm)"
	case has("\x1f\x8b"):
		return "this is a gzip file: unpack it first (gunzip)"
	case has("PK\x03\x04"):
		return "this is a zip file: unpack it first"
	case has("\x28\xb5\x2f\xfd"):
		return "this is a zstd file: unpack it first"
	case bytes.HasPrefix(trimmed, []byte("<!doctype")), bytes.HasPrefix(trimmed, []byte("<html")):
		return "this is an HTML page, not a WebAssembly module: the download was probably an error or a login page"
	case bytes.HasPrefix(trimmed, []byte("(module")), bytes.HasPrefix(trimmed, []byte("(component")):
		return "this is WebAssembly text: translate it with wat2wasm first"
	case bytes.HasPrefix(trimmed, []byte("version https://git-lfs")):
		return "this is a Git LFS pointer, not the file itself: run git lfs pull"
	case has("#!"):
		return "this is a script, not a WebAssembly module"
	case len(bytes.Trim(head, "\x00")) == 0:
		return "the file begins with zeros; it is damaged or not yet written to its end"
	case utf8.Valid(head) && bytes.IndexByte(head, 0) < 0:
		return "this is a text file, not a WebAssembly module"
	}
	return "this is not a WebAssembly module: it does not begin with the bytes 00 61 73 6d"
}
