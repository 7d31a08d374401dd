package main

import (
	"strings"
	"testing"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/plugins"
	"github.com/wcron/wcron/sandbox"
	"github.com/wcron/wcron/sandbox/meter"
)

// What wcron check takes for a function that jobs are given is what the engine gives them.
func TestKnownFunctionsAreThoseOfTheEngine(t *testing.T) {
	calls, err := capability.Functions(nil)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sandbox.New(t.Context(), sandbox.Config{Functions: calls})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(t.Context())
	given := 0
	for module, names := range map[string]string{
		sandbox.EnvModule: "alloc free length length_unsafe load_u8 load_u64 store_u8 store_u64 input_length input_offset input_load_u8 input_load_u64 " +
			"output_set error_set config_get var_get var_set http_request http_status_code http_headers log_trace log_debug log_info log_warn " +
			"log_error get_log_level error_get reset memory_bytes",
		sandbox.UserModule: "wcron_state wcron_event wcron_progress wcron_emit wcron_exec price_of",
	} {
		for name := range strings.FieldsSeq(names) {
			m, err := engine.Compile(t.Context(), guest.Importing(module, name))
			provided := err == nil || !strings.Contains(err.Error(), "does not provide")
			if err == nil {
				m.Close(t.Context())
			}
			if known := plugins.Known(meter.Import{Module: module, Name: name}); known != provided {
				t.Errorf("%s.%s: the engine gives it: %v, and plugins knows it: %v", module, name, provided, known)
			}
			if provided {
				given++
			}
		}
	}
	if given != 30 {
		t.Errorf("%d functions are given", given)
	}
}

// Linkers import by turns, and some names twice; inspect shows each module and each name once.
func TestInspectListsImportsOnce(t *testing.T) {
	var out strings.Builder
	v := inspected{Imports: []plugins.Import{
		{Module: "wasi", Name: "fd_write"}, {Module: "env", Name: "alloc"}, {Module: "wasi", Name: "fd_write"}, {Module: "wasi", Name: "fd_read"},
		{Module: "env", Name: "http_request", Needs: "http"},
	}}
	v.printImports(&app{stdout: &out})
	if want := "  wasi: fd_write, fd_read\n  env: alloc, http_request (needs request.http)\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
