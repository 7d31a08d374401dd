package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Zone is the time zone of schedules that name none.
type Zone struct {
	Name     string         // as in the zone database, such as "Europe/Berlin"; "UTC"
	Location *time.Location // never nil
	From     string         // "host file", "machine" or "fallback UTC"
}

const (
	zoneHostFile = "host file"
	zoneMachine  = "machine"
	zoneFallback = "fallback UTC"
)

// machine is where a machine says in which zone it is. The name counts, never just the offset: rules change with the years.
type machine struct {
	getenv    func(string) (string, bool)
	localtime string // a link into the zone database
	timezone  string // a file with the name
}

func thisMachine() machine {
	return machine{getenv: os.LookupEnv, localtime: "/etc/localtime", timezone: "/etc/timezone"}
}

// zone returns the machine's zone by name, or UTC as the fallback and the reason.
func (m machine) zone() (Zone, error) {
	if tz, ok := m.getenv("TZ"); ok {
		// An empty TZ is UTC, by POSIX and by the time package.
		name := zoneName(strings.TrimPrefix(tz, ":"))
		if tz == "" {
			name = "UTC"
		}
		if loc, err := loadZone(name); err == nil {
			return Zone{name, loc, zoneMachine}, nil
		}
		return Zone{"UTC", time.UTC, zoneFallback}, errors.New("the variable TZ does not name a zone")
	}
	// The link may lead over other links (/etc/localtime -> /etc/zone -> zoneinfo); the first that names a zone counts, since the
	// database itself is full of links from old names to new ones.
	at := m.localtime
	for range 8 {
		target, err := os.Readlink(at)
		if err != nil {
			break
		}
		if loc, err := loadZone(zoneName(target)); err == nil {
			return Zone{zoneName(target), loc, zoneMachine}, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(at), target)
		}
		at = target
	}
	if st, f, err := look(m.timezone); err == nil && f == nil {
		if b, f, err := read(m.timezone, st, 256); err == nil && f == nil {
			name := strings.TrimSpace(string(b))
			if loc, err := loadZone(name); err == nil {
				return Zone{name, loc, zoneMachine}, nil
			}
		}
	}
	return Zone{"UTC", time.UTC, zoneFallback}, errors.New("neither TZ, /etc/localtime nor /etc/timezone names a zone")
}

// zoneName takes the name of a zone out of a path into the database.
func zoneName(path string) string {
	path = filepath.ToSlash(path)
	if _, name, ok := strings.Cut(path, "zoneinfo/"); ok {
		path = name
	}
	for _, variant := range []string{"posix/", "right/", "uclibc/"} {
		path = strings.TrimPrefix(path, variant)
	}
	return path
}

// loadZone refuses what time.LoadLocation takes for something else: "" is UTC to it and "Local" is not a name.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("not the name of a zone")
	}
	return time.LoadLocation(name)
}
