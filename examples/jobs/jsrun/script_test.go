package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// memory is a state in memory.
type memory map[string]string

func (m memory) Load(key string, v any) (bool, error) {
	text, found := m[key]
	if !found {
		return false, nil
	}
	return true, json.Unmarshal([]byte(text), v)
}

func (m memory) Save(key string, v any) error {
	if key == "" {
		return errors.New("a key has 1 to 512 bytes")
	}
	text, err := json.Marshal(v)
	m[key] = string(text)
	return err
}

func (m memory) Delete(key string) (bool, error) {
	_, found := m[key]
	delete(m, key)
	return found, nil
}

func (m memory) List(string) (keys []string, err error) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys, nil
}

func TestExecute(t *testing.T) {
	state := memory{}
	for _, c := range []struct{ text, out, fails string }{
		{`print(1, "a", [2, 3]); console.log(event.job, event.data.list.map(x => x * 2))`, "1 a 2,3\nreport 2,4\n", ""},
		{`print(state.get("n")); state.set("n", {count: 1}); print(state.get("n").count, state.list(""))`, "null\n1 n\n", ""},
		{`print(state.remove("n"), state.remove("n"), state.get("n"))`, "true false null\n", ""},
		{`try { state.set("", 1) } catch (e) { print(String(e)) }`, "GoError: a key has 1 to 512 bytes\n", ""},
		{"\nthrow new Error('no disk')", "", "Error: no disk at job.js:2:"},
		{"let x = ;", "", "SyntaxError: job.js: Line 1:9"},
	} {
		var out strings.Builder
		s := script{name: "job.js", text: c.text, job: "report", data: map[string]any{"list": []any{1, 2}}}
		err := execute(s, state, &out)
		if out.String() != c.out || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s\nprints %q, %v; want %q %q", c.text, out.String(), err, c.out, c.fails)
		}
	}
}
