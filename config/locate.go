package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNotFound is wrapped by [Locate] where no host file is.
var ErrNotFound = errors.New("no configuration file")

// fileName is the host file's name in every place where it is looked for.
const fileName = "wcron.toml"

// SearchPath is where [Locate] looks, in that order: the working folder, wcron in the user's configuration folder, and the
// system's /etc/wcron (%ProgramData%\wcron on Windows). A place that the environment does not tell is left out.
func SearchPath() []string {
	var places []string
	if dir, err := os.Getwd(); err == nil {
		places = append(places, filepath.Join(dir, fileName))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "wcron", fileName))
	}
	if runtime.GOOS != "windows" {
		places = append(places, filepath.Join("/etc/wcron", fileName))
	} else if dir := os.Getenv("ProgramData"); dir != "" {
		places = append(places, filepath.Join(dir, "wcron", fileName))
	}
	return places
}

// Locate is the absolute path of the host file: explicit where it is not empty, else the first of [SearchPath] that exists. The
// error wraps [ErrNotFound] and names the places. A place that cannot be looked at is an error and not passed over: the
// host would run with another configuration than its operator believes.
func Locate(explicit string) (string, error) {
	if explicit != "" {
		return locate([]string{explicit})
	}
	return locate(SearchPath())
}

func locate(places []string) (string, error) {
	for _, p := range places {
		_, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("find configuration: %w", err)
		}
		return filepath.Abs(p)
	}
	return "", fmt.Errorf("%w at %s; create one, or name one with --config", ErrNotFound, strings.Join(places, ", "))
}
