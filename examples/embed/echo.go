package main

import (
	"encoding/hex"
	"encoding/json"

	"github.com/wcron/wcron/host"
)

// echo is a job that runs each second and writes what it reads: the event, with this input.
func echo(name, input string) host.Job {
	text, err := json.Marshal(input)
	if err != nil {
		panic(err) // a string can always be written as JSON
	}
	return host.Job{Name: name, Module: host.Bytes(echoModule()), Schedule: "@every 1s", Input: text}
}

// echoModule is a whole WebAssembly module, so that this program needs no file. In the text format it is
//
//	(module
//	  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
//	  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
//	  (memory (export "memory") 1)
//	  (func (export "_start")
//	    (i32.store (i32.const 0) (i32.const 16))          ;; the buffer: from byte 16
//	    (loop
//	      (i32.store (i32.const 4) (i32.const 65520))     ;; to the end of the page
//	      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
//	      (i32.store (i32.const 4) (i32.load (i32.const 8)))
//	      (if (i32.eqz (i32.load (i32.const 4))) (then return))
//	      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
//	      (br 0))))
func echoModule() []byte {
	const text = "0061736d01000000" +
		"010c0260047f7f7f7f017f600000" + // types
		"02440216776173695f736e617073686f745f70726576696577310766645f72656164000016776173695f736e617073686f745f70726576696577310866645f77726974650000" + // imports
		"03020101" + // functions
		"0503010001" + // memory
		"071302066d656d6f72790200065f73746172740002" + // exports
		"0a43014100410041103602000340410441f0ff03360200410041004101410810001a4104410828020036020041042802004504400f0b410141004101410810011a0c000b0b" // code
	module, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // the text stands above
	}
	return module
}
