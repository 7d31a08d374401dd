package host

import (
	"time"

	"github.com/wcron/wcron/claims"
)

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	Started      EventKind = "started"       // a guest started
	EndedRun     EventKind = "ended"         // a run's outcome is committed
	LateResult   EventKind = "late_result"   // a run ended after it was given up; nothing was committed
	SlotSkipped  EventKind = "skipped"       // slots passed over, with the reason
	SlotQueued   EventKind = "queued"        // a slot waits since its job is busy, with the reason
	SlotMissed   EventKind = "missed"        // slots that no host was there for, or late
	Recovered    EventKind = "recovered"     // an orphan was closed
	JobAdded     EventKind = "job_added"     // a job is new, or changed
	JobRemoved   EventKind = "job_removed"   // a job is gone
	JobBroken    EventKind = "job_broken"    // a job cannot run, with the reason
	JobPending   EventKind = "job_pending"   // a job does not run until somebody approves what its plugin asks for; the reason says how
	JobDenied    EventKind = "job_denied"    // a job does not run since somebody has denied its plugin
	JobReady     EventKind = "job_ready"     // its module is compiled
	JobPaused    EventKind = "job_paused"    // by an operator, or since it failed too often: see Policy
	JobResumed   EventKind = "job_resumed"   // it goes on
	JobDisabled  EventKind = "job_disabled"  // a guest asked for it with exit 78
	HostStarted  EventKind = "host_started"  // the owner has joined
	HostDraining EventKind = "host_draining" // no new claims
	HostStopped  EventKind = "host_stopped"
	TickFailed   EventKind = "tick_failed"   // the ledger or the system refused; tried again
	GuestRefused EventKind = "guest_refused" // a guest asked for what its job is not granted; the reason says how to grant it
	Stalled      EventKind = "stalled"       // an owner that cannot be judged is silent for longer than its lease
	LockWait     EventKind = "lock_wait"     // the ledger's lock is held by somebody else for longer than LockPatience
	Lost         EventKind = "lost_events"   // Count events were dropped because OnEvent was too slow
)

// Event tells what the host did. Fields that do not apply are zero.
type Event struct {
	Kind     EventKind
	Time     time.Time
	Job      string
	RunID    string
	Slot     claims.Slot
	Attempt  int
	Digest   string
	Lateness time.Duration // Started: behind the time at which it was to start: the slot's with its jitter, or when an attempt was due
	Late     bool          // Started: later than the job's grace
	Jitter   time.Duration // Started: how much later than the slot's time it was to start
	Duration time.Duration // EndedRun: of the guest
	Outcome  claims.Outcome
	Cause    claims.Cause
	ExitCode *int64
	Reason   string
	Policy   claims.Policy // which of the job's policies decided this; empty: none
	Evidence string        // Recovered
	Count    int64         // SlotSkipped, SlotMissed: how many; SlotQueued: slots of the job that wait now; Started: missed slots that the run stands for; JobPaused: failures in a row
	Until    time.Time     // SlotSkipped, SlotMissed: the last one's time
	Retry    time.Time     // EndedRun: when the next attempt is due
	Output   []byte        // EndedRun: what it wrote, where that is short enough to travel with the commit
	Err      error         // TickFailed
}

const eventQueue = 4096

// emit queues an event for OnEvent and never blocks.
func (h *Host) emit(e Event) {
	if e.Time.IsZero() {
		e.Time = h.now()
	}
	h.log(e)
	if h.cfg.OnEvent != nil {
		h.world.tell(h, e)
	}
}

const (
	lastEvents       = 2 * time.Second  // how long an ending host goes on delivering what is queued
	observerPatience = 30 * time.Second // and how long it waits for an OnEvent that does not return
)

// deliver calls OnEvent until ending is closed and the queue is empty, or the host gives a slow observer up. The queue is never
// closed: a goroutine that outlives the drain may still want to tell something.
func (h *Host) deliver(ending <-chan struct{}) {
	for ended := false; !ended; {
		select {
		case e := <-h.events:
			h.tell(e)
		case <-ending:
		}
		select {
		case <-ending: // also where more events are waiting
			ended = true
		default:
		}
	}
	for limit := time.Now().Add(lastEvents); time.Now().Before(limit); {
		select {
		case e := <-h.events:
			h.tell(e)
		default:
			return
		}
	}
}

func (h *Host) tell(e Event) {
	h.cfg.OnEvent(e)
	if n := h.dropped.Swap(0); n > 0 {
		h.cfg.OnEvent(Event{Kind: Lost, Time: h.now(), Count: n})
	}
}
