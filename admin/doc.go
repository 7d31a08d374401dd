// Package admin is the operator's API: what may be asked of a ledger and of the hosts on it, in the process itself ([Direct],
// [Served]) or through a host's unix socket ([Handler], [Client]). It does not know how a host is started, nor how an answer looks
// on a terminal.
//
// # One meaning, three ways
//
// All three give the same answers. [Direct] reads and writes the ledger and needs no host. [Served] is the same inside a host's
// process, and knows in addition what only the host does: which module is compiled, why a due slot waits, how busy it is. [Client]
// asks a Served over its socket. A change is always a request in the ledger, so that it reaches the host that owns the job or the
// run, whichever was asked.
//
// # The socket
//
// A host listens on a unix socket of its own with mode 0600 in a folder with mode 0700, and records its path in its owner record;
// [Hosts] finds it there. The paths are
//
//	GET  /v1/ping                      the host's instance id
//	GET  /v1/status                    Status
//	GET  /v1/jobs                      one Job a line
//	GET  /v1/runs?job&run&slot&before&limit    one Run a line
//	GET  /v1/slots?job&before&since&limit      one Slot a line
//	GET  /v1/output?run&follow         bytes; the trailer Wcron-Error says if they are not all
//	GET  /metrics                      the text format of Prometheus
//	GET  /healthz                      200 while the host's loop answers, else 503
//	GET  /readyz                       Readiness; 200 while it could start a run, else 503
//	POST /v1/do                        Request to Answer
//
// An error is {"error": text, "code": one of the words in errors.go} with a status to go with it.
package admin
