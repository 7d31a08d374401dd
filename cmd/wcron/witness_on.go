//go:build wcron_torture

package main

import (
	"github.com/wcron/wcron/bench/witness"
	"github.com/wcron/wcron/host"
)

// witnessed makes a program that tells bench/torture what its guests and its ledger do, and that kills itself where it is told.
func witnessed(cfg *host.Config) error { return witness.Attach(cfg) }
