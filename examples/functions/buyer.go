package main

import "encoding/hex"

// buyer is a whole WebAssembly module, so that this program needs no file. It asks for the price of "A1" and gives the answer as
// its output. In the text format it is
//
//	(module
//	  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
//	  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
//	  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
//	  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
//	  (import "extism:host/user" "price_of" (func $price (param i64) (result i64)))
//	  (func (export "run") (result i32) (local $b i64)
//	    (local.set $b (call $alloc (i64.const 2)))
//	    (call $store (local.get $b) (i32.const 65))                           ;; "A"
//	    (call $store (i64.add (local.get $b) (i64.const 1)) (i32.const 49))   ;; "1"
//	    (local.set $b (call $price (local.get $b)))
//	    (call $output (local.get $b) (call $length (local.get $b)))
//	    (i32.const 0)))
func buyer() []byte {
	const text = "0061736d01000000" +
		"01140460017e017e60027e7f0060027e7e006000017f" + // types
		"02860105" + // imports
		"0f65787469736d3a686f73742f656e7605616c6c6f630000" +
		"0f65787469736d3a686f73742f656e760873746f72655f75380001" +
		"0f65787469736d3a686f73742f656e76066c656e6774680000" +
		"0f65787469736d3a686f73742f656e760a6f75747075745f7365740002" +
		"1065787469736d3a686f73742f757365720870726963655f6f660000" +
		"03020103" + // functions
		"0707010372756e0005" + // exports
		"0a2c012a01017e420210002100200041c1001001200042017c41311001200010042100200020001002100341000b" // code
	module, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // the text stands above
	}
	return module
}
