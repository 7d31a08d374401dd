package host

import (
	"context"
	"log/slog"
)

var levels = map[EventKind]slog.Level{
	LateResult: slog.LevelWarn, SlotMissed: slog.LevelWarn, Recovered: slog.LevelWarn, JobBroken: slog.LevelWarn,
	JobDisabled: slog.LevelWarn, JobPaused: slog.LevelWarn, TickFailed: slog.LevelError, Stalled: slog.LevelWarn, LockWait: slog.LevelError, SlotSkipped: slog.LevelWarn,
	GuestRefused: slog.LevelWarn, JobPending: slog.LevelWarn,
}

// log writes an event as one line.
func (h *Host) log(e Event) {
	level := levels[e.Kind]
	if e.Kind == EndedRun && e.Outcome != "ok" {
		level = slog.LevelWarn
	}
	if !h.cfg.Logger.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("job", e.Job)
	add("run_id", e.RunID)
	add("slot", e.Slot.ID)
	if e.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
	}
	switch e.Kind {
	case Started:
		attrs = append(attrs, slog.Int64("lateness_ms", e.Lateness.Milliseconds()))
		if e.Late {
			attrs = append(attrs, slog.Bool("late", true))
		}
		if e.Jitter > 0 {
			attrs = append(attrs, slog.Int64("jitter_ms", e.Jitter.Milliseconds()))
		}
		if e.Count > 0 {
			attrs = append(attrs, slog.Int64("stands_for", e.Count))
		}
	case EndedRun, Recovered, LateResult:
		attrs = append(attrs, slog.Int64("duration_ms", e.Duration.Milliseconds()))
		add("outcome", string(e.Outcome))
		add("cause", string(e.Cause))
		if e.ExitCode != nil {
			attrs = append(attrs, slog.Int64("exit_code", *e.ExitCode))
		}
		if !e.Retry.IsZero() {
			attrs = append(attrs, slog.Time("retry_at", e.Retry))
		}
	case SlotQueued:
		attrs = append(attrs, slog.Int64("waiting", e.Count))
	case SlotSkipped, SlotMissed:
		attrs = append(attrs, slog.Int64("count", e.Count), slog.Time("until", e.Until))
	}
	add("policy", string(e.Policy))
	add("reason", e.Reason)
	add("evidence", e.Evidence)
	if e.Err != nil {
		add("error", e.Err.Error())
	}
	h.cfg.Logger.LogAttrs(context.Background(), level, string(e.Kind), attrs...)
}
