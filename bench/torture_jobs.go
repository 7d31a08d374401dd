package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wcron/wcron/internal/guest"
)

// Times of the hosts and jobs under torture. Their deadlines are short, so that a host that is stopped for some seconds is past
// them.
const (
	tortureGrace  = 500 * time.Millisecond // orphan_grace of the hosts
	witnessBeat   = 50 * time.Millisecond  // between two signs of life of a guest
	tortureConfig = `plugins = "plugins"
state = "state"
orphan_grace = "%s"
commit_grace = "500ms"
timezone = "UTC"

[defaults]
timeout = "2s"
start_timeout = "1s"
backoff = "100ms..1s"
history_runs = 1000000
history_bytes = "1TiB"
`
)

// torturedJob is a job whose guests tell what they do and write state: see guest.Witness.
type torturedJob struct {
	name     string
	plugin   string // in the plugin folder, without .wasm; that of another name than the job's is in the host file
	schedule string
	beats    int
	retries  int // of orphans
	fleeting bool
}

// tortured are the jobs under torture. The file of a fleeting one is removed and put back again and again.
func tortured() []torturedJob {
	var jobs []torturedJob
	for i := range 2 {
		jobs = append(jobs,
			torturedJob{name: fmt.Sprintf("short-%d", i), plugin: "short", schedule: everySecond, beats: 5},
			torturedJob{name: fmt.Sprintf("long-%d", i), plugin: "long", schedule: "*/2 * * * * *", beats: 22, retries: 2},
			torturedJob{name: fmt.Sprintf("fleeting-%d", i), plugin: fmt.Sprintf("fleeting-%d", i), schedule: "1-59/2 * * * * *", beats: 22,
				retries: 2, fleeting: true})
	}
	return jobs
}

// settings are the job's keys.
func (j torturedJob) settings() string {
	text := fmt.Sprintf("schedule = %q\nretries = %d\n", j.schedule, j.retries)
	if j.retries > 0 {
		text += "retry_on = [\"orphaned\"]\n"
	}
	return text
}

func (f folder) hostFile() string { return filepath.Join(f.root, "wcron.toml") }
func (f folder) witness() string  { return filepath.Join(f.root, "witness") } // a file, outside the store

// furnish writes the host file and the plugin folder of the jobs under torture.
func (f folder) furnish() error {
	if err := os.Mkdir(f.plugin(""), 0o700); err != nil {
		return err
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, tortureConfig, tortureGrace)
	for _, j := range tortured() {
		if j.plugin != j.name {
			fmt.Fprintf(text, "\n[jobs.%s]\nplugin = %q\n%s", j.name, j.plugin+".wasm", j.settings())
		}
		if err := f.drop(j); err != nil {
			return err
		}
	}
	return os.WriteFile(f.hostFile(), []byte(text.String()), 0o600)
}

func (f folder) plugin(file string) string { return filepath.Join(f.root, "plugins", file) }

// drop puts a job's plugin into its folder as a whole. That of a job which the host file does not know says itself when it is due.
func (f folder) drop(j torturedJob) error {
	wasm := guest.Witness(j.beats, witnessBeat)
	if j.plugin == j.name {
		wasm = guest.WithManifest(wasm, j.settings())
	}
	temp := filepath.Join(f.root, "dropped-"+j.plugin)
	if err := os.WriteFile(temp, wasm, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, f.plugin(j.plugin+".wasm"))
}

// remove takes a job's plugin out of its folder.
func (f folder) remove(j torturedJob) error { return os.Remove(f.plugin(j.plugin + ".wasm")) }
