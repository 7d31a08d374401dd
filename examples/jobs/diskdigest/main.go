// Command diskdigest is a job: it prints which folders hold the most, from a list of files and their sizes.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// input is what the job wants of the event. Each line of Listing is a size in bytes, a blank and a path.
type input struct {
	Listing *string `json:"listing"`
	Depth   int     `json:"depth"` // folders below this many levels count for the one above; default 2
	Top     int     `json:"top"`   // folders to print; default 10
}

type folder struct {
	name  string
	bytes int64
	files int
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "diskdigest:", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	event := struct{ Input input }{input{Depth: 2, Top: 10}}
	if err := json.NewDecoder(stdin).Decode(&event); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	in := event.Input
	if in.Listing == nil || in.Depth < 1 || in.Top < 1 {
		return fmt.Errorf(`want an input such as { listing = "4096 /srv/a.iso", depth = 2, top = 10 }, with numbers above 0`)
	}
	folders, total, err := digest(*in.Listing, in.Depth)
	if err != nil {
		return err
	}
	slices.SortFunc(folders, func(a, b folder) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.name, b.name))
	})
	return report(stdout, folders[:min(in.Top, len(folders))], total)
}

// digest adds up the files of each folder.
func digest(listing string, depth int) (folders []folder, total folder, err error) {
	at := map[string]int{}
	line := 0
	for text := range strings.Lines(listing) {
		line++
		text = strings.TrimRight(text, "\r\n")
		if strings.TrimSpace(text) == "" {
			continue
		}
		digits, file, ok := strings.Cut(strings.Replace(text, "\t", " ", 1), " ")
		size, err := strconv.ParseInt(digits, 10, 64)
		if !ok || file == "" || err != nil || size < 0 {
			return nil, total, fmt.Errorf("listing, line %d: want a size in bytes, a blank and a path, got %.60q", line, text)
		}
		if size > math.MaxInt64-total.bytes {
			return nil, total, fmt.Errorf("listing, line %d: the sizes add up to more than %d bytes", line, int64(math.MaxInt64))
		}
		total.bytes += size
		total.files++
		name := above(file, depth)
		i, known := at[name]
		if !known {
			i, at[name] = len(folders), len(folders)
			folders = append(folders, folder{name: name})
		}
		folders[i].bytes += size
		folders[i].files++
	}
	return folders, total, nil
}

// above is the folder of a file, cut to depth levels.
func above(file string, depth int) string {
	dir := path.Dir(path.Clean(file))
	rooted := strings.HasPrefix(dir, "/")
	levels := strings.Split(strings.Trim(dir, "/"), "/")
	dir = strings.Join(levels[:min(depth, len(levels))], "/")
	if rooted {
		return "/" + dir
	}
	return dir
}

func report(w io.Writer, folders []folder, total folder) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "SIZE\tSHARE\tFILES\t  FOLDER\n")
	for _, f := range folders {
		share := 100 * float64(f.bytes) / max(1, float64(total.bytes))
		fmt.Fprintf(table, "%s\t%.1f%%\t%d\t  %s\n", size(f.bytes), share, f.files, strconv.Quote(f.name))
	}
	fmt.Fprintf(table, "%s\t100.0%%\t%d\t  in all\n", size(total.bytes), total.files)
	return table.Flush()
}

func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	for ; value >= 1024 && unit < 6; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", value, " KMGTPE"[unit])
}
