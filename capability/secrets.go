package capability

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
)

// secrets are those of one run, each read when it is first needed.
type secrets struct {
	all    []Secret
	values []string // as far as they were read; empty: not yet
	hidden
}

// asGuestsMayNot are headers with which a guest would choose how its secret comes back: packed, in another code, or piece by piece. They
// are not sent beside a secret.
var asGuestsMayNot = []string{"Accept-Charset", "Accept-Encoding", "If-Range", "Range"}

// beside is a guest's header as it is sent beside secrets.
func beside(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range asGuestsMayNot {
		h.Del(name)
	}
	return h
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
	value = strings.Trim(value, " \t\r\n") // which no header keeps
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
