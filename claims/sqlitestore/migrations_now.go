//go:build !wcron_nextschema

package sqlitestore

func nextSchema() []string { return nil }
