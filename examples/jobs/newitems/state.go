//go:build wasip1

package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The host owns the memory of requests and answers; these functions make, read and write blocks of it. An offset of 0 is no block.

//go:wasmimport extism:host/env alloc
func alloc(n uint64) uint64

//go:wasmimport extism:host/env free
func free(offset uint64)

//go:wasmimport extism:host/env length
func length(offset uint64) uint64

//go:wasmimport extism:host/env load_u8
func loadU8(offset uint64) uint32

//go:wasmimport extism:host/env store_u8
func storeU8(offset uint64, b uint32)

//go:wasmimport extism:host/user wcron_state
func wcronState(request uint64) uint64

// request is what wcron_state takes. Values are bytes, which JSON carries as base64.
type request struct {
	Op    string  `json:"op"`
	Key   string  `json:"key"`
	Value *[]byte `json:"value,omitempty"`
}

type answer struct {
	Found bool   `json:"found"`
	Value []byte `json:"value"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// get reads a key of the job's state; found is false if there is none.
func get(key string) (value []byte, found bool, err error) {
	a, err := call(request{Op: "get", Key: key})
	return a.Value, a.Found, err
}

// set writes a key. It is kept when this run ends with exit code 0, and only then.
func set(key string, value []byte) error {
	_, err := call(request{Op: "set", Key: key, Value: &value})
	return err
}

func call(r request) (a answer, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	block := alloc(uint64(len(text)))
	if block == 0 {
		return a, errors.New("no memory for the request")
	}
	for i, b := range text {
		storeU8(block+uint64(i), uint32(b))
	}
	reply := wcronState(block)
	free(block)
	text = make([]byte, length(reply))
	for i := range text {
		text[i] = byte(loadU8(reply + uint64(i)))
	}
	free(reply)
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read the answer of wcron_state: %w", err)
	}
	if a.Error != nil {
		return a, fmt.Errorf("%s %q: %s (%s)", r.Op, r.Key, a.Error.Message, a.Error.Code)
	}
	return a, nil
}
