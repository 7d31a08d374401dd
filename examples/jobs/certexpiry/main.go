// Command certexpiry is a job: it says which certificates of a folder expire soon.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/wcron/wcron/guest"
)

// input is what the job wants of the event.
type input struct {
	Folder string `json:"folder"` // default /certs
	Days   int    `json:"days"`   // what expires within so many days is soon; default 30
}

// certificate is one of a file.
type certificate struct {
	file, name string
	end        time.Time
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		guest.Reason(err.Error())
		fmt.Fprintln(os.Stderr, "certexpiry:", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	event, err := guest.ReadEvent(stdin)
	if err != nil {
		return err
	}
	in := input{Folder: "/certs", Days: 30}
	if err := event.Decode(&in); err != nil {
		return err
	}
	list, bad, err := read(os.DirFS(in.Folder))
	if err != nil {
		return fmt.Errorf("%s: %w; grant the job this folder", in.Folder, err)
	}
	slices.SortStableFunc(list, func(a, b certificate) int { return a.end.Compare(b.end) })
	soon := 0
	for _, c := range list {
		left := c.end.Sub(event.StartedAt)
		mark := " "
		if left < time.Duration(in.Days)*24*time.Hour {
			mark, soon = "!", soon+1
		}
		fmt.Fprintf(stdout, "%s %-17s %q  %s\n", mark, when(left), c.name, c.file)
	}
	for _, err := range bad {
		fmt.Fprintln(stdout, "?", err)
	}
	switch {
	case len(list)+len(bad) == 0:
		return fmt.Errorf("there is no certificate in %s", in.Folder)
	case len(bad) > 0:
		return fmt.Errorf("%d of the files cannot be read", len(bad))
	case soon > 0:
		return fmt.Errorf("%d of %d certificates expire within %d days", soon, len(list), in.Days)
	}
	return nil
}

// read is all certificates of the files *.pem, *.crt and *.cer, in the order of the files, and why others are none.
func read(folder fs.FS) (list []certificate, bad []error, err error) {
	err = fs.WalkDir(folder, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && file == ".":
			return err
		case err != nil:
			bad = append(bad, fmt.Errorf("%s: %w", file, err))
			return nil
		case d.IsDir() || !slices.Contains([]string{".pem", ".crt", ".cer"}, path.Ext(file)):
			return nil
		}
		text, err := fs.ReadFile(folder, file)
		if err == nil {
			var some []certificate
			some, err = parse(file, text)
			list = append(list, some...)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", file, err))
		}
		return nil
	})
	return list, bad, err
}

// parse is the certificates of a file. Keys, which may stand beside them, are passed over.
func parse(file string, text []byte) (list []certificate, err error) {
	blocks := 0
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		blocks++
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return list, err
		}
		list = append(list, certificate{file, name(c), c.NotAfter})
	}
	if blocks == 0 {
		return nil, errors.New("it has no PEM block in it")
	}
	return list, nil
}

func name(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

func when(left time.Duration) string {
	const day = 24 * time.Hour
	if left < 0 {
		return fmt.Sprintf("%d days ago", -left/day)
	}
	return fmt.Sprintf("in %d days", left/day)
}
