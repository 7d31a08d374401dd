package sqlitestore

import (
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/claimstest"
)

func TestConformance(t *testing.T) {
	claimstest.Harness{
		Open:  func(t *testing.T) claims.Store { return open(t, t.TempDir()+"/state") },
		Again: func(t *testing.T, s claims.Store) claims.Store { return open(t, s.(*Store).Dir()) },
	}.Run(t)
}
