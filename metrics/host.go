package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wcron/wcron/host"
)

// askTimeout bounds the questions to the host's loop for one reading.
const askTimeout = 2 * time.Second

// Watch adds what a host is asked for at each reading: how busy it is, whether it is ready, and its waits for the ledger. It is to be
// called once, with a host that Run is called on.
func (m *Metrics) Watch(h *host.Host) { m.registry.MustRegister(newPresent(h)) }

// present asks a host how it is.
type present struct {
	h                                                       *host.Host
	up, ready, jobs, waiting, running, slots, draining      *prometheus.Desc
	memory, budget, lockWaiting, lockWaits, lockWaitSeconds *prometheus.Desc
}

func newPresent(h *host.Host) *present {
	d := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("wcron_"+name, help, nil, nil)
	}
	return &present{
		h:               h,
		up:              d("up", "1 while the host's loop answers."),
		ready:           d("ready", "1 while the host could start a run."),
		jobs:            d("jobs", "Jobs of the present set."),
		waiting:         d("slots_waiting", "Slots and attempts that are due and have not started."),
		running:         d("runs_running", "Runs in flight."),
		slots:           d("run_slots", "How many runs may be in flight; 0: no limit."),
		draining:        d("draining", "1 while the host waits for its runs to end, and starts no more."),
		memory:          d("guest_memory_bytes", "Memory that guests hold."),
		budget:          d("guest_memory_budget_bytes", "How much they may hold together; 0: no limit."),
		lockWaiting:     d("ledger_lock_waiting_seconds", "How long the ledger's lock is being waited for at present."),
		lockWaits:       d("ledger_lock_waits_total", "Waits for the ledger's lock."),
		lockWaitSeconds: d("ledger_lock_wait_seconds_total", "How long the ledger's lock was waited for in all."),
	}
}

// Describe implements prometheus.Collector. It describes nothing, since what can be read depends on the host.
func (*present) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *present) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	if w, ok := p.h.LedgerWait(); ok {
		gauge(p.lockWaiting, w.For.Seconds())
		counter(p.lockWaits, float64(w.Waits))
		counter(p.lockWaitSeconds, w.Total.Seconds())
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	load, err := p.h.Load(ctx)
	gauge(p.up, truth(err == nil))
	if err != nil {
		gauge(p.ready, 0)
		return
	}
	reasons, err := p.h.Ready(ctx)
	gauge(p.ready, truth(err == nil && len(reasons) == 0))
	gauge(p.jobs, float64(load.Jobs))
	gauge(p.waiting, float64(load.Waiting))
	gauge(p.running, float64(load.Running))
	gauge(p.slots, float64(load.MaxRuns))
	gauge(p.draining, truth(load.Draining))
	gauge(p.memory, float64(load.Memory))
	gauge(p.budget, float64(load.MemoryBudget))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
