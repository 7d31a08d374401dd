package claimstest_test

import (
	"testing"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/claims/claimstest"
)

// The model keeps to the contract that engines are compared with it by.
func TestModel(t *testing.T) {
	claimstest.Harness{
		Open:  func(*testing.T) claims.Store { return claimstest.NewModel() },
		Again: func(_ *testing.T, s claims.Store) claims.Store { return s.(*claimstest.Model).Again() },
	}.Run(t)
}
