package fingerprint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Version is the version of the records that this package writes. A record of a higher version judges Unknown.
const Version = 1

// maxRecord bounds what Parse reads; an honest record is a few hundred bytes.
const maxRecord = 16 << 10

var (
	// ErrMalformed is returned by Parse for data that is not a record of this package, or of a time before its first version.
	ErrMalformed = errors.New("malformed owner record")

	// ErrNoProcess is returned by Of when no running process has the pid.
	ErrNoProcess = errors.New("no such process")
)

// Evidence says which process a pid is. It is a value: copies are independent and safe for concurrent use.
// The zero value is no evidence at all and judges Unknown.
type Evidence struct {
	// Version of the record; 0 is no record.
	Version int `json:"version"`

	// Platform is the GOOS that wrote the record: "linux", "darwin" or "windows".
	Platform string `json:"platform,omitempty"`

	// Machine names the installation, hashed so that the record gives nothing away. It is empty where nothing
	// trustworthy does: in a container /etc/machine-id may come from the image and be the same on many machines.
	Machine string `json:"machine,omitempty"`

	// Host is the host name: a second word beside Machine, because cloned machines often share a machine id.
	Host string `json:"host,omitempty"`

	// Boot names one boot of one kernel (Linux boot_id, macOS kern.bootsessionuuid); Windows has none.
	Boot string `json:"boot,omitempty"`

	// PIDNamespace is the inode of the Linux pid namespace in which PID counts; 0 elsewhere.
	PIDNamespace uint64 `json:"pid_namespace,omitempty"`

	// TimeNamespace is the inode of the Linux time namespace in which Start was read; 0 where the kernel has none.
	TimeNamespace uint64 `json:"time_namespace,omitempty"`

	// PID is the process id, at least 1.
	PID int `json:"pid,omitempty"`

	// Start is when the process started, in the platform's own unit and only ever compared for equality:
	// clock ticks since boot (Linux), seconds.microseconds of wall time (macOS), 100 ns since 1601 (Windows).
	Start string `json:"start,omitempty"`

	// PidfsInode is the inode of the process's pidfd, which Linux 6.9 and later give to no other process until
	// the next boot; 0 where there is none.
	PidfsInode uint64 `json:"pidfs_inode,omitempty"`

	// Legacy marks evidence made by LegacyOwner: PID is all that is known.
	Legacy bool `json:"legacy,omitempty"`
}

// Self gives the evidence of the calling process. An error means that the machine does not tell enough to recognise
// the process later; the Evidence is then the zero value, which judges Unknown. Safe for concurrent use.
func Self() (Evidence, error) {
	return of(selfPID(), Local())
}

// Of gives the evidence of another process of this machine. It returns ErrNoProcess when pid is not a running process,
// and another error when the machine does not tell enough. Safe for concurrent use.
func Of(pid int) (Evidence, error) {
	return of(pid, Local())
}

func of(pid int, p Prober) (Evidence, error) {
	if pid < 1 || pid > math.MaxInt32 {
		return Evidence{}, fmt.Errorf("fingerprint pid %d: %w", pid, ErrNoProcess)
	}
	place, err := p.Here()
	if err != nil {
		return Evidence{}, fmt.Errorf("fingerprint pid %d: %w", pid, err)
	}
	seen := p.Process(pid)
	switch seen.State {
	case Absent, Ended:
		return Evidence{}, fmt.Errorf("fingerprint pid %d: %w", pid, ErrNoProcess)
	case Unclear:
		return Evidence{}, fmt.Errorf("fingerprint pid %d: the machine does not tell: %s", pid, seen.Why)
	}
	e := Evidence{
		Version:       Version,
		Platform:      place.Platform,
		Machine:       place.Machine,
		Host:          place.Host,
		Boot:          place.Boot,
		PIDNamespace:  place.PIDNamespace,
		TimeNamespace: place.TimeNamespace,
		PID:           pid,
		Start:         seen.Start,
		PidfsInode:    seen.PidfsInode,
	}
	if err := e.check(); err != nil {
		return Evidence{}, fmt.Errorf("fingerprint pid %d: %w", pid, errors.Join(err, whyError(seen.Why)))
	}
	return e, nil
}

func whyError(why string) error {
	if why == "" {
		return nil
	}
	return errors.New(why)
}

// Parse reads a record that Encode wrote. Malformed data, null, an empty record and records older than version 1 give
// an error that wraps ErrMalformed, and an Evidence that judges Unknown. A record of a newer version gives no error and
// an Evidence that holds only its version, which judges Unknown too: keep the bytes, not a re-encoding, of such a record.
func Parse(data []byte) (Evidence, error) {
	if len(data) > maxRecord {
		return Evidence{}, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(data), maxRecord)
	}
	// The version alone first: a newer record may give the other keys another type.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Evidence{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if head.Version > Version {
		return Evidence{Version: head.Version}, nil
	}
	var e Evidence
	if err := json.Unmarshal(data, &e); err != nil {
		return Evidence{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := e.check(); err != nil {
		return Evidence{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

// Encode writes the record as one line of JSON without a line end.
func (e Evidence) Encode() []byte {
	data, err := json.Marshal(e)
	if err != nil {
		// Strings, numbers and a bool always marshal.
		panic("fingerprint: encode evidence: " + err.Error())
	}
	return data
}

// check reports what is missing or malformed. Shape matters because evidence is compared for equality: a damaged
// start time or boot id would differ from the true one, and so prove a death that never was.
func (e Evidence) check() error {
	if e.Version != Version {
		return fmt.Errorf("version is %d, want %d", e.Version, Version)
	}
	if e.PID < 1 || e.PID > math.MaxInt32 {
		return fmt.Errorf("pid is %d, want 1 to %d", e.PID, math.MaxInt32)
	}
	if e.Legacy {
		return nil
	}
	switch e.Platform {
	case "linux":
		return e.checkLinux()
	case "darwin":
		if !isUUID(e.Boot) {
			return fmt.Errorf("boot is %.60q, want a uuid", e.Boot)
		}
		if !isSeconds(e.Start) {
			return fmt.Errorf("start is %.60q, want seconds.microseconds", e.Start)
		}
	case "windows":
		if e.Machine == "" || e.Host == "" {
			return errors.New("machine or host is missing")
		}
		if !isNumber(e.Start) {
			return fmt.Errorf("start is %.60q, want a number", e.Start)
		}
	default:
		return fmt.Errorf("platform is %.60q, want linux, darwin or windows", e.Platform)
	}
	return nil
}

func (e Evidence) checkLinux() error {
	if !isUUID(e.Boot) {
		return fmt.Errorf("boot is %.60q, want a uuid", e.Boot)
	}
	if e.PIDNamespace == 0 {
		return errors.New("pid_namespace is missing")
	}
	if e.Start == "" && e.PidfsInode == 0 {
		return errors.New("start and pidfs_inode are both missing")
	}
	if e.Start != "" && !isNumber(e.Start) {
		return fmt.Errorf("start is %.60q, want a number", e.Start)
	}
	return nil
}

// isNumber accepts exactly what strconv.FormatUint writes.
func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// isSeconds accepts exactly what formatSeconds writes.
func isSeconds(s string) bool {
	whole, micros, ok := strings.Cut(s, ".")
	return ok && isNumber(whole) && len(micros) == 6 && strings.Trim(micros, "0123456789") == ""
}

func formatSeconds(sec int64, usec int32) string {
	return fmt.Sprintf("%d.%06d", sec, usec)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)):
			return false
		}
	}
	return true
}
