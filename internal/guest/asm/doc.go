// Package asm puts WebAssembly modules together by hand: types, imports, functions, memory, data, exports.
// It knows nothing of WASI or wcron, and checks nothing: a test may well want a module that is wrong.
package asm
