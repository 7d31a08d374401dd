//go:build !wasip1

package host

// Inside stands for the host in tests: it is given the function's name and its blocks, and answers with a block and, for
// http_request, with the status and the headers. Nil: there is none. It is set before anything is called.
var Inside func(name string, blocks ...[]byte) (status int, header, block []byte)

func call(name string, blocks ...[]byte) (status int, header, block []byte, err error) {
	if Inside == nil {
		return 0, nil, nil, ErrOutside
	}
	status, header, block = Inside(name, blocks...)
	return status, header, block, nil
}

func one(name string, request []byte) ([]byte, error) {
	_, _, answer, err := call(name, request)
	return answer, err
}

// State is wcron_state.
func State(request []byte) ([]byte, error) { return one("wcron_state", request) }

// Event is wcron_event.
func Event(request []byte) ([]byte, error) { return one("wcron_event", request) }

// Progress is wcron_progress.
func Progress(request []byte) ([]byte, error) { return one("wcron_progress", request) }

// Emit is wcron_emit.
func Emit(request []byte) ([]byte, error) { return one("wcron_emit", request) }

// HTTP is http_request, http_status_code and http_headers.
func HTTP(request, body []byte) (status int, header, response []byte, err error) {
	return call("http_request", request, body)
}

// Log is log_trace to log_error.
func Log(level Level, text []byte) {
	names := [...]string{LogTrace: "log_trace", LogDebug: "log_debug", LogInfo: "log_info", LogWarn: "log_warn", LogError: "log_error"}
	_, _, _, _ = call(names[min(max(level, LogTrace), LogError)], text)
}

// Reason is error_set.
func Reason(text []byte) { _, _, _, _ = call("error_set", text) }

// Config is config_get.
func Config(name []byte) []byte {
	_, _, value, _ := call("config_get", name)
	return value
}
