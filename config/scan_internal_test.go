package config

import "testing"

// FuzzScanAgreesWithParser holds the scan to the parser: what both accept has the same keys and items in the same places. Where they
// differed, a text could show the scan another nesting than the parser meets.
func FuzzScanAgreesWithParser(f *testing.F) {
	for _, seed := range []string{
		"a = 1\n[b.c]\nd = [1, {e = \"x\"}]\n", "[[a]]\nb = 1\n[[a]]\n[a.c]\nd.e = 2", "a = \"\"\"\"\"x\\\"\"\"\"\"", "a = {b.c = 1, b.d = [[]]}",
		"\"\\u0041\\t\" = '#'", "a = [\n# ]\n1 # x\n, 2]", "a = 1979-05-27 07:32:00", "a = '''''''", "a = [{b = 1}, {b = 2}]\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 4096 {
			return
		}
		if doc := parse("f", []byte(src), maxFile, &problems{}); doc != nil {
			same(t, doc.values, doc.root)
		}
	})
}

func same(t *testing.T, raw any, n *node) {
	t.Helper()
	switch x := raw.(type) {
	case map[string]any:
		if len(x) != len(n.kids) {
			t.Fatalf("the parser sees %v, the scan %v", x, n.kids)
		}
		for name, v := range x {
			kid := n.kids[name]
			if kid == nil {
				t.Fatalf("the scan does not see %q", name)
			}
			same(t, v, kid)
		}
	case []any:
		if len(x) != len(n.items) {
			t.Fatalf("the parser sees %v, the scan %d items", x, len(n.items))
		}
		for i := range x {
			same(t, x[i], n.items[i])
		}
	case []map[string]any:
		if len(x) != len(n.items) {
			t.Fatalf("the parser sees %v, the scan %d items", x, len(n.items))
		}
		for i := range x {
			same(t, x[i], n.items[i])
		}
	default:
		if len(n.kids)+len(n.items) > 0 {
			t.Fatalf("the scan sees something inside %v", raw)
		}
	}
}
