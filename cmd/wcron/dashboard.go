package main

import (
	"context"
	"net"
	"time"

	"github.com/wcron/wcron/admin"
	"github.com/wcron/wcron/web"
)

// dashboardAgain is how long it takes until a host tries again to have the dashboard's address.
const dashboardAgain = 2 * time.Second

// dashboard serves the dashboard where the configuration says, until ctx ends. An address that is not to be had ends no host: another
// host on the same configuration may have it, and this one takes over when that ends, as one does that drains while the next is up.
func (s *server) dashboard(ctx context.Context, api admin.API) {
	at := s.file.Dashboard
	if at.Listen == "" {
		return
	}
	for told := false; ; told = true {
		listener, err := net.Listen("tcp", at.Listen)
		if err == nil {
			s.log.Info("dashboard", "url", "http://"+listener.Addr().String()+"/")
			if err := admin.Serve(ctx, listener, web.Handler(web.Config{API: api, Hosts: at.Hosts, Now: s.app.now})); err != nil {
				s.log.Error("dashboard", "error", err)
			}
			return
		}
		if !told {
			s.log.Error("no_dashboard", "error", err, "tried_again_every", dashboardAgain, "remedy", "end what listens there, or choose another address with "+
				"the key listen of [dashboard]; where that is another host of this configuration, its dashboard shows the same jobs")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(dashboardAgain):
		}
	}
}
