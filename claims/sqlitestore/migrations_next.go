//go:build wcron_nextschema

package sqlitestore

// nextSchema makes a program of the version that comes next, for the test of two programs on one store.
func nextSchema() []string {
	return []string{"CREATE TABLE of_the_next_version (id INTEGER PRIMARY KEY)"}
}
