package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// beats tells a service manager that waits for it (NOTIFY_SOCKET, WATCHDOG_USEC) that the host is up, that it is ending, and in
// between that its loop still turns. Each beat asks the loop for an answer first: a process that is frozen sends none, nor does one
// whose loop is, and the manager ends it. What becomes of its runs is recovery's to say.
func (s *server) beats(until, draining context.Context) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("no_watchdog", "error", err)
	}
	every := watchdog / 3
	if every <= 0 {
		every = time.Second
	}
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil && !s.told.same("notify", []string{err.Error()}) {
			s.log.Warn("service_manager", "error", err)
		}
	}
	alive := func() bool {
		ctx, cancel := context.WithTimeout(until, every)
		defer cancel()
		_, err := s.host.Load(ctx)
		return err == nil
	}
	ready, drain := false, draining.Done()
	for {
		if alive() {
			if !ready {
				tell(daemon.SdNotifyReady)
				ready = true
			}
			if watchdog > 0 {
				tell(daemon.SdNotifyWatchdog)
			} else if drain == nil {
				return
			}
		}
		select {
		case <-until.Done():
			return
		case <-drain:
			drain = nil
			tell(daemon.SdNotifyStopping)
		case <-time.After(every):
		}
	}
}
