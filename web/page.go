package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed assets templates
var files embed.FS

// view is one page.
type view struct {
	Name   string  // of its template
	Title  string  // of the window
	Status *status // nil: the host was not asked
	Live   bool    // a script asks for it again
	Body   any
}

var pages = template.Must(template.New("").Funcs(template.FuncMap{"jobPath": jobPath, "runPath": runPath, "short": short}).ParseFS(files, "templates/*.html"))

// render answers with a page. It is made as a whole first: an answer that has begun is a whole one.
func render(w http.ResponseWriter, status int, v view) {
	var body, page bytes.Buffer
	err := pages.ExecuteTemplate(&body, v.Name, v.Body)
	if err == nil {
		err = pages.ExecuteTemplate(&page, "frame", struct {
			view
			Content template.HTML // what a template has escaped
		}{v, template.HTML(body.String())})
	}
	if err != nil {
		plain(w, http.StatusInternalServerError, "make the page: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(harmless(page.Bytes())) // the browser is gone
}

// asset serves a file of the dashboard's own, which a browser keeps until it is another one.
func asset(name string) http.HandlerFunc {
	content, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it was embedded by this package
	}
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", types[path.Ext(name)])
		w.Header().Set("Cache-Control", "no-cache") // ask whether it is still the same
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	}
}

// jobPath is where a job's page is; empty: its name cannot stand in a path. Host files allow no such name, other programs may.
func jobPath(name string) string {
	if strings.Trim(name, ".") == "" {
		return ""
	}
	return "/jobs/" + url.PathEscape(name)
}

func runPath(id string) string { return "/runs/" + url.PathEscape(id) }
