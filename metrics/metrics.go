package metrics

import (
	"fmt"
	"io"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/wcron/wcron/host"
)

// MaxJobs is how many jobs have series of their own at a time.
const MaxJobs = 1000

// otherJobs stands for the jobs beyond MaxJobs. No job can have this name.
const otherJobs = "_other"

// Metrics is what one host did since it was started. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	started, runs, orphaned, refused, missed, skipped, disabled *prometheus.CounterVec // by job, and more
	decided                                                     *prometheus.CounterVec // by policy
	lateness, duration                                          *prometheus.HistogramVec
	ticks                                                       *prometheus.CounterVec // by operation
	stalled, longWaits, lost                                    prometheus.Counter
	refusedFiles                                                prometheus.Counter
	problems                                                    prometheus.Gauge

	mu   sync.Mutex
	jobs map[string]bool // that have series
}

// New makes metrics that have counted nothing.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), jobs: map[string]bool{}}
	seconds := []float64{0.01, 0.1, 1, 10, 60, 600, 3600}
	m.started = m.counters("runs_started_total", "Guests that were started.", "job")
	m.runs = m.counters("runs_total", "Attempts whose end was committed by this host.", "job", "outcome", "cause")
	m.orphaned = m.counters("runs_orphaned_total", "Claims of owners that were gone, or past their deadline, closed by this host.", "job")
	m.refused = m.counters("commits_refused_total", "Runs that ended after they had been given up, so that nothing of them was committed.", "job")
	m.missed = m.counters("slots_missed_total", "Slots that were missed.", "job", "reason")
	m.skipped = m.counters("slots_skipped_total", "Slots that were skipped.", "job", "reason")
	m.decided = m.counters("policy_decisions_total", "Slots, starts and attempts that a policy of their job decided about.", "job", "policy")
	m.disabled = m.counters("jobs_disabled_total", "Times that a guest disabled its job.", "job")
	m.lateness = m.histograms("run_lateness_seconds", "From the time of a slot to the start of its guest.", seconds)
	m.duration = m.histograms("run_duration_seconds", "From the start of a guest to its end.", seconds)
	m.ticks = m.counters("ticks_failed_total", "Operations on the ledger or the system that failed.", "operation")
	m.stalled = m.counter("owners_stalled_total", "Reports of a silent owner of an unlimited run.")
	m.longWaits = m.counter("ledger_lock_long_waits_total", "Waits for the ledger's lock that lasted longer than two seconds.")
	m.lost = m.counter("events_lost_total", "Events of the host that are in no metric, since they came too fast.")
	m.refusedFiles = m.counter("configurations_refused_total", "Changes of the configuration that were refused, or taken over in part.")
	m.problems = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "wcron", Name: "configuration_problems", Help: "What is wrong with the configuration and the plugins at present."})
	m.registry.MustRegister(m.problems)
	return m
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "wcron", Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "wcron", Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "wcron", Name: name, Help: help, Buckets: buckets}, []string{"job"})
	m.registry.MustRegister(h)
	return h
}

// Observe counts an event. It is for host.Config.OnEvent, and does not block.
func (m *Metrics) Observe(e host.Event) {
	job := m.job(e)
	m.decision(job, e)
	switch e.Kind {
	case host.Started:
		m.started.WithLabelValues(job).Inc()
		m.lateness.WithLabelValues(job).Observe(max(e.Lateness.Seconds(), 0))
	case host.EndedRun:
		m.runs.WithLabelValues(job, known(outcomes, string(e.Outcome)), known(causes, string(e.Cause))).Inc()
		if e.Duration > 0 || e.Outcome == "ok" || e.ExitCode != nil { // else it may never have started
			m.duration.WithLabelValues(job).Observe(e.Duration.Seconds())
		}
	case host.Recovered:
		m.runs.WithLabelValues(job, known(outcomes, string(e.Outcome)), "").Inc()
		m.orphaned.WithLabelValues(job).Inc()
	case host.LateResult:
		m.refused.WithLabelValues(job).Inc()
	case host.SlotMissed:
		m.missed.WithLabelValues(job, reason(e.Reason)).Add(float64(max(e.Count, 1)))
	case host.SlotSkipped:
		m.skipped.WithLabelValues(job, reason(e.Reason)).Add(float64(max(e.Count, 1)))
	case host.JobDisabled:
		m.disabled.WithLabelValues(job).Inc()
	case host.JobRemoved:
		m.forget(e.Job)
	case host.TickFailed:
		m.ticks.WithLabelValues(operation(e.Reason)).Inc()
	case host.Stalled:
		m.stalled.Inc()
	case host.LockWait:
		m.longWaits.Inc()
	case host.Lost:
		m.lost.Add(float64(e.Count))
	}
}

// decision counts what a policy decided. Of slots that were passed over together each counts.
func (m *Metrics) decision(job string, e host.Event) {
	if e.Policy == "" || job == "" {
		return
	}
	n := int64(1)
	if e.Kind == host.SlotMissed || e.Kind == host.SlotSkipped {
		n = max(e.Count, 1)
	}
	m.decided.WithLabelValues(job, known(policies, string(e.Policy))).Add(float64(n))
}

// Configuration tells how many problems the present configuration and plugins have. refused says that a change of them was not, or
// not wholly, taken over.
func (m *Metrics) Configuration(problems int, refused bool) {
	m.problems.Set(float64(problems))
	if refused {
		m.refusedFiles.Inc()
	}
}

// job is the label of an event's job.
func (m *Metrics) job(e host.Event) string {
	switch e.Kind { // those that have a series by job
	case host.Started, host.EndedRun, host.Recovered, host.LateResult, host.SlotMissed, host.SlotSkipped, host.JobDisabled,
		host.SlotQueued, host.JobPaused, host.JobResumed:
	default:
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.jobs[e.Job] {
		if len(m.jobs) >= MaxJobs {
			return otherJobs
		}
		m.jobs[e.Job] = true
	}
	return e.Job
}

// forget drops the series of a job that was removed.
func (m *Metrics) forget(job string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.jobs[job] {
		return
	}
	delete(m.jobs, job)
	by := prometheus.Labels{"job": job}
	for _, c := range []*prometheus.CounterVec{m.started, m.runs, m.orphaned, m.refused, m.missed, m.skipped, m.disabled, m.decided} {
		c.DeletePartialMatch(by)
	}
	m.lateness.DeletePartialMatch(by)
	m.duration.DeletePartialMatch(by)
}

// Write writes all metrics in the text format of Prometheus.
func (m *Metrics) Write(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather the metrics: %w", err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("write the metrics: %w", err)
		}
	}
	return nil
}
