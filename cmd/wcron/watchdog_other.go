//go:build !unix

package main

func (c *serveCmd) watched(*app) error {
	return usage("--watchdog needs sockets that this platform does not have; let the service manager start wcron serve again when it does not answer")
}
