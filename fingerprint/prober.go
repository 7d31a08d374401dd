package fingerprint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
)

// State is what the machine says about a pid at one moment.
type State int

const (
	// Unclear is the zero value: the machine does not say whether there is such a process, or whether it has ended.
	Unclear State = iota
	// Absent: no process has the pid.
	Absent
	// Running: a process has the pid and has not ended. A stopped (SIGSTOP) process is Running.
	Running
	// Ended: the process that has the pid has ended and nobody has reaped it yet: a zombie.
	Ended
	// LeaderEnded: the main thread has ended while others of the process still run. It looks like a zombie and is none.
	LeaderEnded
)

// Place is where the caller stands: which machine, which boot, which namespaces.
// The fields mean what the fields of the same name in Evidence mean.
type Place struct {
	Platform      string
	Machine       string
	Host          string
	Boot          string
	PIDNamespace  uint64
	TimeNamespace uint64
}

// Process is what the machine says about one pid. Start and PidfsInode belong to whoever has the pid now, and are
// empty or zero where they could not be read.
type Process struct {
	State      State
	Start      string
	PidfsInode uint64
	// Why says what stood in the way, for a person: set with Unclear and where Start could not be read.
	Why string
}

// Prober is what a platform must tell: nothing else in this package asks the machine. Both methods are safe for
// concurrent use and return at once.
type Prober interface {
	// Here says where the caller stands. With an error nothing can be judged.
	Here() (Place, error)
	// Process looks at a pid, which is at least 1. State, Start and PidfsInode are of one and the same process.
	Process(pid int) Process
}

// Local is the prober of the machine that the program runs on. On platforms other than Linux, macOS and Windows its
// Here returns errors.ErrUnsupported.
func Local() Prober { return local{} }

// local is the machine's own prober; each platform gives it Here and Process.
type local struct{}

func selfPID() int { return os.Getpid() }

// machineKey hides a machine id, which is confidential by the word of machine-id(5), behind a keyed hash.
// An id that is empty or obviously not one gives "".
func machineKey(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if len(id) < 32 || strings.Trim(id, "0-") == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("wcron fingerprint"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
