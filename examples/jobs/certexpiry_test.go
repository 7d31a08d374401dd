package jobs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wcron/wcron/examples/jobs/jobtest"
)

// certs makes certificates that end so many days from now, each with its key behind it, as servers keep them.
func certs(t *testing.T, days map[string]int) (text []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range days {
		end := time.Now().AddDate(0, 0, n).Add(time.Hour)
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: end.AddDate(-1, 0, 0), NotAfter: end,
		}
		if strings.Contains(name, ".") {
			c.Subject.CommonName, c.DNSNames = "", []string{name, "other." + name}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
}

func TestCertExpiry(t *testing.T) {
	e := withGo(t, "certexpiry")
	folder := t.TempDir()
	write := func(file string, text []byte) {
		t.Helper()
		file = filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := jobtest.Start(t, e.plugin(t), fmt.Sprintf(`
[[jobs.certexpiry.grant.dir]]
guest = "/certs"
host = '%s'
`, folder))
	expect(t, h.Run(e.name, ""), 1, "certexpiry: there is no certificate in /certs\n")

	write("sites/www.pem", certs(t, map[string]int{"www.example.com": 12, "Example CA": 3649}))
	write("old.pem", certs(t, map[string]int{"old.example.com": -4})) // and an hour more: 3 whole days ago
	write("notes.txt", []byte("no certificate"))
	list := e.block(t, "```\n")
	soon := h.Run(e.name, "")
	expect(t, soon, 1, list+"certexpiry: 2 of 3 certificates expire within 30 days\n")
	if !strings.Contains(soon.Reason, "2 of 3 certificates expire within 30 days") {
		t.Errorf("the reason is %q", soon.Reason)
	}

	if err := os.Remove(filepath.Join(folder, "old.pem")); err != nil {
		t.Fatal(err)
	}
	_, list, _ = strings.Cut(list, "\n")
	list = strings.Replace(list, "! ", "  ", 1)
	expect(t, h.Run(e.name, `{"days":7}`), 0, list)

	write("broken.crt", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	write("empty.cer", nil)
	expect(t, h.Run(e.name, `{"days":7}`), 1, list+"? broken.crt: x509: malformed certificate\n? empty.cer: it has no PEM block in it\n"+
		"certexpiry: 2 of the files cannot be read\n")
	expect(t, h.Run(e.name, `{"folder":"/etc"}`), 1, "certexpiry: /etc: stat .: Bad file number; grant the job this folder\n")
	expect(t, h.Run(e.name, `{"weeks":7}`), 1, "certexpiry: the job's input: json: unknown field \"weeks\"\n")
}
