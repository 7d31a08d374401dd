package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dop251/goja"
)

// script is what there is to run, and what it is told.
type script struct {
	name, text, job, slot string
	data                  map[string]any
}

// store is the job's state, whose values are JSON here.
type store interface {
	Load(key string, v any) (found bool, err error)
	Save(key string, v any) error
	Delete(key string) (found bool, err error)
	List(prefix string) (keys []string, err error)
}

// execute runs a script. It has `event` with job, slot and data; `print` and `console.log`; and `state` with get, set, remove and list.
func execute(s script, state store, stdout io.Writer) error {
	vm := goja.New()
	print := func(call goja.FunctionCall) goja.Value {
		words := make([]string, len(call.Arguments))
		for i, a := range call.Arguments {
			words[i] = a.String()
		}
		fmt.Fprintln(stdout, strings.Join(words, " "))
		return goja.Undefined()
	}
	for name, value := range map[string]any{
		"print":   print,
		"console": map[string]any{"log": print},
		"event":   map[string]any{"job": s.job, "slot": s.slot, "data": s.data},
		"state": map[string]any{ // an error becomes an exception
			"get": func(key string) (v any, err error) {
				_, err = state.Load(key, &v)
				return v, err
			},
			"set":    state.Save,
			"remove": state.Delete,
			"list":   state.List,
		},
	} {
		if err := vm.Set(name, value); err != nil {
			return err
		}
	}
	_, err := vm.RunScript(s.name, s.text)
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		return errors.New(strings.Join(strings.Fields(thrown.String()), " ")) // with the places, in one line
	}
	return err
}
