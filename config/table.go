package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// tableKey is one key of a table that stands for a T.
type tableKey[T any] struct {
	name string
	typ  string
	span string
	def  string // what holds without it, as TOML; "" for nothing
	need bool   // a table without it is refused
	read func(*T, value) bool
	show func(T) string // the value as TOML; "" where it is not set
}

// in is a key whose zero value is not set.
func in[T, V any](name string, r reader[V], at func(*T) *V) tableKey[T] {
	return tableKey[T]{
		name: name, typ: r.typ, span: r.span,
		read: func(t *T, v value) bool {
			x, ok := r.read(v)
			if ok {
				*at(t) = x
			}
			return ok
		},
		show: func(t T) string {
			x := *at(&t)
			if reflect.ValueOf(&x).Elem().IsZero() {
				return ""
			}
			return r.write(x)
		},
	}
}

// needed is a key without which the table is refused.
func (k tableKey[T]) needed() tableKey[T] {
	k.need = true
	return k
}

// without says what holds where the key is left out.
func (k tableKey[T]) without(def string) tableKey[T] {
	k.def = def
	return k
}

// tables reads a table of these keys. check reports what is wrong with a whole one; nil: nothing can be.
func tables[T any](keys []tableKey[T], check func(value, T) bool) reader[T] {
	return reader[T]{
		typ:  "table",
		span: "the keys below",
		read: func(v value) (T, bool) { return readTable(v, keys, check) },
		write: func(t T) string {
			var pairs []string
			for _, k := range keys {
				if text := k.show(t); text != "" {
					pairs = append(pairs, k.name+" = "+text)
				}
			}
			if pairs == nil {
				return "{}"
			}
			return "{ " + strings.Join(pairs, ", ") + " }"
		},
	}
}

func readTable[T any](v value, keys []tableKey[T], check func(value, T) bool) (t T, ok bool) {
	entries, ok := v.table()
	if !ok {
		return t, false
	}
	known := make([]string, len(keys))
	for i, k := range keys {
		known[i] = k.name
	}
	given := map[string]bool{}
	for _, e := range entries {
		given[e.name] = true
		if i := slices.Index(known, e.name); i >= 0 {
			ok = keys[i].read(&t, e.value) && ok
		} else {
			e.unknown(known, func(string) string { return "" })
			ok = false
		}
	}
	for _, k := range keys {
		if k.need && !given[k.name] {
			v.failKey(k.name+" is missing", "add "+k.name+", "+k.typ+": "+k.span)
			ok = false
		}
	}
	if ok && check != nil {
		ok = check(v, t)
	}
	return t, ok
}

// pointed reads what r reads, where nil is not set.
func pointed[T any](r reader[T]) reader[*T] {
	return reader[*T]{
		typ: r.typ, span: r.span,
		read: func(v value) (*T, bool) {
			t, ok := r.read(v)
			return &t, ok
		},
		write: func(t *T) string { return r.write(*t) },
	}
}

// lists reads 1 to most of what r reads. same tells which two of them are one thing said twice; nil: none are.
func lists[T any](r reader[T], most int, remedy string, same func(a, b T) string) reader[[]T] {
	return reader[[]T]{
		typ:  "array of " + r.typ + "s",
		span: r.span,
		read: func(v value) ([]T, bool) {
			items, ok := v.items("an array of "+r.typ+"s", remedy)
			if !ok {
				return nil, false
			}
			if len(items) == 0 || len(items) > most {
				v.fail(fmt.Sprintf("holds %d values", len(items)), fmt.Sprintf("write 1 to %d of them, or leave the key out", most))
				return nil, false
			}
			var list []T
			for _, item := range items {
				t, good := r.read(item)
				if !good {
					ok = false
					continue
				}
				ok = once(item, t, list, same) && ok
				list = append(list, t)
			}
			return list, ok
		},
		write: func(list []T) string {
			texts := make([]string, len(list))
			for i, t := range list {
				texts[i] = r.write(t)
			}
			return "[" + strings.Join(texts, ", ") + "]"
		},
	}
}

// once reports an item that says what an earlier one has said.
func once[T any](item value, t T, before []T, same func(a, b T) string) bool {
	for _, other := range before {
		if same == nil {
			break
		}
		if what := same(t, other); what != "" {
			item.fail(what+" is listed twice", "remove one of the two")
			return false
		}
	}
	return true
}

// words reads 1 to most strings that differ.
func words(r reader[string], most int, remedy string) reader[[]string] {
	return lists(r, most, remedy, func(a, b string) string {
		if a == b {
			return quote(clip(a))
		}
		return ""
	})
}

// named reads 1 to most of what r reads, by names that valid accepts.
func named[T any](r reader[T], most int, span string, valid func(string) error) reader[map[string]T] {
	return reader[map[string]T]{
		typ:  "table of " + r.typ + "s",
		span: span,
		read: func(v value) (map[string]T, bool) {
			entries, ok := v.table()
			if !ok {
				return nil, false
			}
			if len(entries) == 0 || len(entries) > most {
				v.fail(fmt.Sprintf("holds %d names", len(entries)), fmt.Sprintf("write 1 to %d of them, or leave the key out", most))
				return nil, false
			}
			m := make(map[string]T, len(entries))
			for _, e := range entries {
				if err := valid(e.name); err != nil {
					e.failKey(err.Error(), "use another name")
					ok = false
				}
				t, good := r.read(e.value)
				ok = ok && good
				m[e.name] = t
			}
			return m, ok
		},
		write: func(m map[string]T) string {
			pairs := make([]string, 0, len(m))
			for _, name := range slices.Sorted(maps.Keys(m)) {
				pairs = append(pairs, keyText(name)+" = "+r.write(m[name]))
			}
			return "{ " + strings.Join(pairs, ", ") + " }"
		},
	}
}

// items are those of an array or of an array of tables, or false with a problem.
func (v value) items(typ, remedy string) ([]value, bool) {
	if list, ok := v.raw.([]map[string]any); ok {
		raw := make([]any, len(list))
		for i := range list {
			raw[i] = list[i]
		}
		v.raw = raw
	}
	return v.array(typ, remedy)
}
