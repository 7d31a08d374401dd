package capability

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// secrets are those of one run, each read when it is first needed.
type secrets struct {
	all    []Secret
	values []string // as far as they were read; empty: not yet
	hidden [][]byte // what is taken out of all that the guest or a person sees, the longest first
}

// header is what is injected into a request. The guest has no hand in it: the target is where the request really goes.
func (s *secrets) header(ctx context.Context, t target) (http.Header, error) {
	var h http.Header
	for i, secret := range s.all {
		if !covers(secret.Host, t) || strings.HasPrefix(secret.Host, "*") {
			continue
		}
		value, err := s.value(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("the secret %s cannot be had: %w", secret.Name, err)
		}
		if secret.Format != "" {
			value = strings.Replace(secret.Format, "%s", value, 1)
		}
		if h == nil {
			h = http.Header{}
		}
		h.Set(textproto.CanonicalMIMEHeaderKey(secret.Header), value)
	}
	return h, nil
}

func (s *secrets) value(ctx context.Context, i int) (string, error) {
	if s.values == nil {
		s.values = make([]string, len(s.all))
	}
	if s.values[i] != "" {
		return s.values[i], nil
	}
	if s.all[i].Value == nil {
		return "", errors.New("it has no source")
	}
	value, err := s.all[i].Value(ctx)
	if err != nil {
		return "", err
	}
	value = strings.TrimRight(value, "\r\n")
	if value == "" {
		return "", errors.New("it is empty")
	}
	s.hide(value)
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", errors.New("it has bytes that no header may have")
	}
	s.values[i] = value
	return value, nil
}

// hide adds a value to what is taken out, also in the forms in which a server is likely to give it back.
func (s *secrets) hide(value string) {
	quoted, _ := json.Marshal(value) // a string can always be written as JSON
	b64 := base64.StdEncoding.EncodeToString([]byte(value))
	for _, form := range []string{
		value, string(quoted[1 : len(quoted)-1]), url.QueryEscape(value), url.PathEscape(value),
		b64, strings.TrimRight(b64, "="), base64.URLEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
	} {
		if !slices.ContainsFunc(s.hidden, func(h []byte) bool { return string(h) == form }) {
			s.hidden = append(s.hidden, []byte(form))
		}
	}
	slices.SortStableFunc(s.hidden, func(a, b []byte) int { return len(b) - len(a) })
}

const redacted = "[secret]"

// redact takes the secrets out.
func (s *secrets) redact(b []byte) []byte {
	for _, h := range s.hidden {
		if bytes.Contains(b, h) {
			b = bytes.ReplaceAll(b, h, []byte(redacted))
		}
	}
	return b
}
