package fingerprint

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// LegacyOwner reads the instance id of records that hold no fingerprint: "pid-suffix", a decimal pid and one word of
// letters and digits. It reports false for anything else, a UUID among them.
//
// Such evidence judges Dead when no running process has the pid, and Unknown when one has: it may be any process.
// It cannot tell machines or containers apart, so ask only for records of a store that this machine alone has used.
func LegacyOwner(instanceID string) (Evidence, bool) {
	number, suffix, ok := strings.Cut(instanceID, "-")
	if !ok || suffix == "" || !isNumber(number) {
		return Evidence{}, false
	}
	for _, c := range []byte(suffix) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return Evidence{}, false
		}
	}
	pid, err := strconv.ParseInt(number, 10, 64)
	if err != nil || pid < 1 || pid > math.MaxInt32 {
		return Evidence{}, false
	}
	return Evidence{Version: Version, PID: int(pid), Legacy: true}, true
}

func judgeLegacy(e Evidence, now Process) (Verdict, string) {
	switch now.State {
	case Absent:
		return Dead, fmt.Sprintf("process %d of an older record is gone: no process has its pid", e.PID)
	case Ended:
		return Dead, fmt.Sprintf("process %d of an older record has ended: what has its pid is a zombie", e.PID)
	case Running, LeaderEnded:
		return Unknown, fmt.Sprintf("a process has the pid %d, and the older record does not say whether it is the owner", e.PID)
	default:
		return Unknown, fmt.Sprintf("process %d of an older record cannot be judged: %s", e.PID, now.Why)
	}
}
