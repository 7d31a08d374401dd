package host

import (
	"encoding/binary"
	"errors"
	"sync"
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

//go:wasmimport extism:host/env load_u64
func loadU64(offset uint64) uint64

//go:wasmimport extism:host/env store_u8
func storeU8(offset uint64, b uint32)

//go:wasmimport extism:host/env store_u64
func storeU64(offset uint64, b uint64)

//go:wasmimport extism:host/user wcron_state
func wcronState(request uint64) uint64

//go:wasmimport extism:host/user wcron_event
func wcronEvent(request uint64) uint64

//go:wasmimport extism:host/user wcron_progress
func wcronProgress(request uint64) uint64

//go:wasmimport extism:host/user wcron_emit
func wcronEmit(request uint64) uint64

//go:wasmimport extism:host/env http_request
func httpRequest(request, body uint64) uint64

//go:wasmimport extism:host/env http_status_code
func httpStatusCode() uint32

//go:wasmimport extism:host/env http_headers
func httpHeaders() uint64

//go:wasmimport extism:host/env log_trace
func logTrace(text uint64)

//go:wasmimport extism:host/env log_debug
func logDebug(text uint64)

//go:wasmimport extism:host/env log_info
func logInfo(text uint64)

//go:wasmimport extism:host/env log_warn
func logWarn(text uint64)

//go:wasmimport extism:host/env log_error
func logError(text uint64)

//go:wasmimport extism:host/env error_set
func errorSet(text uint64)

//go:wasmimport extism:host/env config_get
func configGet(name uint64) uint64

var errMemory = errors.New("there is no memory left for the request: raise the job's memory")

// put makes a block of the bytes. The offset is 0 without bytes, and where there is no memory for them.
func put(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	at := alloc(uint64(len(b)))
	if at == 0 {
		return 0
	}
	i := 0
	for ; i+8 <= len(b); i += 8 {
		storeU64(at+uint64(i), binary.LittleEndian.Uint64(b[i:]))
	}
	for ; i < len(b); i++ {
		storeU8(at+uint64(i), uint32(b[i]))
	}
	return at
}

// take reads a block and frees it.
func take(at uint64) []byte {
	if at == 0 {
		return nil
	}
	b := make([]byte, length(at))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], loadU64(at+uint64(i)))
	}
	for ; i < len(b); i++ {
		b[i] = byte(loadU8(at + uint64(i)))
	}
	free(at)
	return b
}

func one(f func(uint64) uint64, request []byte) ([]byte, error) {
	at := put(request)
	if at == 0 {
		return nil, errMemory
	}
	reply := f(at)
	free(at)
	return take(reply), nil
}

// State is wcron_state.
func State(request []byte) ([]byte, error) { return one(wcronState, request) }

// Event is wcron_event.
func Event(request []byte) ([]byte, error) { return one(wcronEvent, request) }

// Progress is wcron_progress.
func Progress(request []byte) ([]byte, error) { return one(wcronProgress, request) }

// Emit is wcron_emit.
func Emit(request []byte) ([]byte, error) { return one(wcronEmit, request) }

// last guards what the host tells of the last request, from the request until it is told.
var last sync.Mutex

// HTTP is http_request, http_status_code and http_headers. The host frees the blocks that it is given.
func HTTP(request, body []byte) (status int, header, response []byte, err error) {
	r, b := put(request), put(body)
	if r == 0 || b == 0 && len(body) > 0 {
		free(r)
		return 0, nil, nil, errMemory
	}
	last.Lock()
	reply := httpRequest(r, b)
	code, headers := httpStatusCode(), httpHeaders()
	last.Unlock()
	return int(code), take(headers), take(reply), nil
}

// Log is log_trace to log_error, which free the block.
func Log(level Level, text []byte) {
	at := put(text)
	switch {
	case level <= LogTrace:
		logTrace(at)
	case level == LogDebug:
		logDebug(at)
	case level == LogInfo:
		logInfo(at)
	case level == LogWarn:
		logWarn(at)
	default:
		logError(at)
	}
}

// Reason is error_set.
func Reason(text []byte) {
	at := put(text)
	errorSet(at)
	free(at)
}

// Config is config_get.
func Config(name []byte) []byte {
	at := put(name)
	value := take(configGet(at))
	free(at)
	return value
}
