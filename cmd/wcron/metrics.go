package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/metrics"
)

// probes serves the metrics where the configuration says, until ctx ends. An address that is not to be had ends no host: another host
// on the same configuration may have it.
func (s *server) probes(ctx context.Context, api admin.API) {
	if s.file.Metrics == "" {
		return
	}
	listener, err := net.Listen("tcp", s.file.Metrics)
	if err != nil {
		s.log.Warn("no_metrics", "error", err, "remedy", "free the address, or choose another one with the key metrics; wcron metrics shows them all the same")
		return
	}
	s.log.Info("metrics", "address", listener.Addr().String())
	if openMetrics(s.file) {
		s.log.Warn("open_metrics", "address", s.file.Metrics, "reason", openReason, "remedy", openRemedy)
	}
	if err := admin.Serve(ctx, listener, admin.Probes(api)); err != nil {
		s.log.Error("metrics", "error", err)
	}
}

const (
	openReason = "whoever reaches this address can read the names and results of all jobs"
	openRemedy = "let it be a loopback address such as 127.0.0.1:9464, or have a firewall or a proxy in front"
)

// openMetrics tells whether others than this machine may reach the metrics.
func openMetrics(f *config.File) bool {
	at, err := netip.ParseAddrPort(f.Metrics)
	return err == nil && !at.Addr().IsLoopback()
}

type metricsCmd struct{}

// Help implements kong.HelpProvider.
func (*metricsCmd) Help() string {
	return "Prints what the host that runs these jobs has counted since it was started, in the text format of Prometheus; with --json one " +
		"value a line. The key metrics of the host file serves the same at an address, for a Prometheus to read.\n\n" +
		"Exit codes: 0 done, 2 usage or configuration, 3 no host is running, or it could not be reached."
}

// Run prints the metrics.
func (*metricsCmd) Run(ctx context.Context, a *app) error {
	return a.withOperator(ctx, func(o *operator) error {
		client, ok := o.API.(*admin.Client)
		if !ok {
			return unreachable(errors.New("no host is running these jobs, and metrics are a host's; start one with: wcron serve -c " + quoted(o.file.Path)))
		}
		var text bytes.Buffer
		if err := client.Metrics(ctx, &text); err != nil {
			return err
		}
		if !a.json {
			fmt.Fprint(a.stdout, text.String())
			return nil
		}
		list, err := metrics.Read(&text)
		if err != nil {
			return err
		}
		return emitAll(a, list)
	})
}
