package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// inputs reads any TOML value into the JSON that a guest will see.
func inputs() reader[json.RawMessage] {
	return reader[json.RawMessage]{
		typ:  "any value",
		span: "what JSON can hold",
		read: func(v value) (json.RawMessage, bool) {
			plain, err := jsonValue(v.raw)
			if err != nil {
				v.refuse(err)
				return nil, false
			}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(plain); err != nil {
				v.refuse(err)
				return nil, false
			}
			return bytes.TrimSuffix(b.Bytes(), []byte("\n")), true
		},
		write: func(raw json.RawMessage) string {
			s, err := tomlValue(raw)
			if err != nil {
				return ""
			}
			return s
		},
	}
}

// jsonValue replaces what JSON lacks: dates become RFC 3339 text, and infinities are refused. The nesting was bounded by the scan.
func jsonValue(raw any) (any, error) {
	switch x := raw.(type) {
	case float64:
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return nil, advice{fmt.Sprintf("holds %v, which JSON cannot", x), "write a number, or text in quotes"}
		}
	case time.Time:
		return dateText(x), nil
	case []any:
		list := make([]any, len(x))
		for i := range x {
			var err error
			if list[i], err = jsonValue(x[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case []map[string]any:
		list := make([]any, len(x))
		for i := range x {
			var err error
			if list[i], err = jsonValue(x[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(x))
		for k := range x {
			var err error
			if m[k], err = jsonValue(x[k]); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	return raw, nil
}

// dateText writes the part of RFC 3339 that the TOML text had: the parser marks dates without an offset by their zone's name.
func dateText(t time.Time) string {
	switch t.Location().String() {
	case "datetime-local":
		return t.Format("2006-01-02T15:04:05.999999999")
	case "date-local":
		return t.Format(time.DateOnly)
	case "time-local":
		return t.Format("15:04:05.999999999")
	}
	return t.Format(time.RFC3339Nano)
}

// tomlValue writes JSON as one line of TOML. TOML has no null.
func tomlValue(raw json.RawMessage) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("input is not JSON: %w", err)
	}
	if dec.More() {
		return "", errors.New("input is more than one JSON value; write an array")
	}
	var b strings.Builder
	err := writeTOML(&b, v)
	return b.String(), err
}

func writeTOML(b *strings.Builder, v any) error {
	switch x := v.(type) {
	case nil:
		return errors.New("input holds null, which TOML cannot; leave the key out")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case string:
		b.WriteString(quote(x))
	case json.Number:
		s, err := tomlNumber(x)
		if err != nil {
			return err
		}
		b.WriteString(s)
	case []any:
		b.WriteByte('[')
		for i := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := writeTOML(b, x[i]); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(" " + keyText(k) + " = ")
			if err := writeTOML(b, x[k]); err != nil {
				return err
			}
		}
		b.WriteString(" }")
	}
	return nil
}

// tomlNumber keeps what fits an integer an integer; anything else gets a point or an exponent, which TOML needs to see a float.
func tomlNumber(n json.Number) (string, error) {
	if i, err := n.Int64(); err == nil && n != "-0" {
		return strconv.FormatInt(i, 10), nil
	}
	f, err := n.Float64()
	if err != nil {
		return "", fmt.Errorf("input holds the number %s, which is out of range; write it as a string", clip(n.String()))
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s, nil
}
