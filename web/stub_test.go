package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/web"
)

// noon is the time of all pages over a stub.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// stub is an API whose answers a test makes up.
type stub struct {
	t       *testing.T
	status  admin.Status
	jobs    []admin.Job
	runs    []admin.Run // newest first
	slots   []admin.Slot
	output  func(w io.Writer) error
	err     error // of every call
	mu      sync.Mutex
	limits  []int // that were asked for
	blocked chan struct{}
}

func (s *stub) Status(ctx context.Context) (admin.Status, error) {
	if s.blocked != nil {
		select {
		case <-s.blocked:
		case <-ctx.Done():
			return admin.Status{}, ctx.Err()
		}
	}
	return s.status, s.err
}

func (s *stub) Jobs(context.Context) ([]admin.Job, error) { return slices.Clone(s.jobs), s.err }

// limited is as many rows as a ledger would give.
func limited[T any](s *stub, rows []T, limit int) ([]T, error) {
	s.mu.Lock()
	s.limits = append(s.limits, limit)
	s.mu.Unlock()
	if limit == 0 {
		limit = 100
	}
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	return rows, s.err
}

func (s *stub) Runs(_ context.Context, q admin.RunQuery) ([]admin.Run, error) {
	var rows []admin.Run
	for _, r := range s.runs {
		if (q.RunID == "" || q.RunID == r.RunID) && (q.Job == "" || q.Job == r.Job) && (q.Slot == "" || q.Slot == r.Slot) &&
			(q.Before.IsZero() || r.ClaimedAt.Before(q.Before)) {
			rows = append(rows, r)
		}
	}
	return limited(s, rows, q.Limit)
}

func (s *stub) Slots(_ context.Context, q admin.SlotQuery) ([]admin.Slot, error) {
	var rows []admin.Slot
	for _, r := range s.slots {
		if (q.Job == "" || q.Job == r.Job) && (q.Before.IsZero() || r.ScheduledAt.Before(q.Before)) {
			rows = append(rows, r)
		}
	}
	return limited(s, rows, q.Limit)
}

func (s *stub) Do(context.Context, admin.Request) (admin.Answer, error) {
	s.t.Error("the dashboard asked for a change")
	return admin.Answer{}, errors.New("no")
}

func (s *stub) Output(_ context.Context, _ string, follow bool, w io.Writer) error {
	if follow {
		s.t.Error("the dashboard follows an output")
	}
	if s.output == nil {
		return s.err
	}
	return s.output(w)
}

// filled sets every text below v to s, every number to 1, every time to noon, and makes each list one long.
func filled(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0), s)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(noon))
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i), s)
		}
	default:
		panic("a view has a field of kind " + v.Kind().String())
	}
}

// one is a stub in which every text is s. Its run has ended, or runs if live is true.
func one(t *testing.T, s string, live bool) *stub {
	t.Helper()
	st := &stub{t: t, jobs: make([]admin.Job, 1), runs: make([]admin.Run, 2), slots: make([]admin.Slot, 1), output: func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}}
	filled(reflect.ValueOf(&st.status).Elem(), s)
	filled(reflect.ValueOf(&st.jobs).Elem().Index(0), s)
	for i := range st.runs {
		filled(reflect.ValueOf(&st.runs).Elem().Index(i), s)
		if live {
			st.runs[i].EndedAt = nil
		}
	}
	st.runs[1].RunID += "2" // another attempt at the slot
	filled(reflect.ValueOf(&st.slots).Elem().Index(0), s)
	st.slots[0].Count = 3
	return st
}

func (s *stub) handler(hosts ...string) http.Handler {
	return web.Handler(web.Config{API: s, Hosts: hosts, Now: func() time.Time { return noon }})
}

// ask asks a handler as a browser on this machine does.
func ask(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080"+path, nil)
	h.ServeHTTP(w, r)
	return w
}

// page is a page that has to be there.
func page(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := ask(t, h, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var (
	tagPattern   = regexp.MustCompile(`<!DOCTYPE html>|</?[a-zA-Z0-9]+(?:\s+[a-z-]+(?:="[^"<>]*")?)*\s*/?>`)
	valuePattern = regexp.MustCompile(`="[^"]*"`)
	linkPattern  = regexp.MustCompile(`(?:href|src|action|srcset|poster|data)="([^"]*)"`)
)

// shape is the tags of a page with the names of their attributes, and the rest of it.
func shape(page string) (tags, rest string) {
	return valuePattern.ReplaceAllString(strings.Join(tagPattern.FindAllString(page, -1), "\n"), ""), tagPattern.ReplaceAllString(page, "")
}
