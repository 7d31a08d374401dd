package meter_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wcron/wcron/internal/guest"
	"github.com/wcron/wcron/internal/guest/asm"
	"github.com/wcron/wcron/sandbox/meter"
)

func TestSetCustom(t *testing.T) {
	plain := guest.Hello()
	one, err := meter.SetCustom(plain, "a", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(one, plain) {
		t.Error("the module itself was changed")
	}
	two, err := meter.SetCustom(one, "b", []byte(strings.Repeat("x", 300)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := meter.SetCustom(two, "a", []byte{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "", "b": strings.Repeat("x", 300)} {
		got, found, err := meter.Custom(again, name)
		if err != nil || !found || string(got) != want {
			t.Errorf("section %s: %q, %v, %v", name, got, found, err)
		}
	}
	if _, found, _ := meter.Custom(again, "c"); found {
		t.Error("found a section that is not there")
	}
	for _, name := range []string{"a", "b"} {
		if again, err = meter.SetCustom(again, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(again, plain) {
		t.Error("taking both sections away did not give the module back")
	}
}

func TestCustomTwice(t *testing.T) {
	var m asm.Module
	m.Custom("a", []byte("1"))
	m.Custom("a", []byte("2"))
	if _, _, err := meter.Custom(m.Bytes(), "a"); err == nil || !strings.Contains(err.Error(), `second custom section "a"`) {
		t.Errorf("got %v", err)
	}
	one, err := meter.SetCustom(m.Bytes(), "a", []byte("3"))
	if err != nil {
		t.Fatal(err)
	}
	if got, found, err := meter.Custom(one, "a"); err != nil || !found || string(got) != "3" {
		t.Errorf("got %q, %v, %v", got, found, err)
	}
}

func TestCustomOfDamagedFile(t *testing.T) {
	if _, _, err := meter.Custom([]byte("<html>"), "a"); err == nil {
		t.Error("Custom took a web page for a module")
	}
	if _, err := meter.SetCustom([]byte(header+"\x01\x05"), "a", nil); err == nil {
		t.Error("SetCustom took a module that is cut off")
	}
}

func FuzzCustom(f *testing.F) {
	f.Add(guest.WithManifest(guest.Hello(), "a = 1"), "wcron.manifest", []byte("b = 2"))
	f.Add([]byte(header), "", []byte{})
	f.Fuzz(func(t *testing.T, wasm []byte, name string, payload []byte) {
		if payload == nil {
			payload = []byte{}
		}
		out, err := meter.SetCustom(wasm, name, payload)
		if err != nil {
			if _, found, err := meter.Custom(wasm, name); err == nil && found {
				t.Error("Custom reads what SetCustom refuses")
			}
			return
		}
		got, found, err := meter.Custom(out, name)
		if err != nil || !found || !bytes.Equal(got, payload) {
			t.Errorf("wrote %q as %q, read %q, %v, %v", payload, name, got, found, err)
		}
	})
}
