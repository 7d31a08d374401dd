package jobtest

import (
	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/plugins"
)

// jobs is a plugins.Source as a host wants it.
type jobs struct{ *plugins.Source }

// Jobs implements host.JobSource.
func (s jobs) Jobs() []host.Job {
	var all []host.Job
	for _, j := range s.Snapshot().Jobs {
		all = append(all, job(j))
	}
	return all
}

func job(j plugins.Job) host.Job {
	s := j.Settings
	out := host.Job{
		Name: j.Name, Module: host.Module{Digest: j.Digest, Load: j.Load}, Schedule: j.ScheduleText, Timezone: j.Timezone,
		Timeout: s.Timeout, StartTimeout: s.StartTimeout, Memory: s.Memory, Fuel: s.Fuel, Output: s.Output, State: s.StateSize,
		Entry: s.Entry, Args: s.Args, Env: s.Env, Input: s.Input,
		NotBefore: j.NotBefore, NotAfter: j.NotAfter, MissedLimit: s.MissedLimit, MissedWindow: s.MissedWindow, Grace: s.Grace, Jitter: s.Jitter,
		StartingDeadline: s.StartingDeadline, PauseAfter: int64(s.PauseAfter),
		Missed: claims.MissedPolicy(s.Missed), Repeat: int64(s.Repeat),
		Retry:       claims.RetryPolicy{Retries: s.Retries, Min: s.Backoff.Min, Max: s.Backoff.Max, On: s.RetryOn},
		HistoryRuns: int64(s.HistoryRuns), HistoryBytes: s.HistoryBytes, Grants: grants(j),
	}
	if s.Timeout == 0 {
		out.Timeout = host.Unlimited
	}
	if j.State == plugins.Broken || j.State == plugins.Pending || j.State == plugins.Denied {
		out.Broken = j.Reason + "; " + j.Remedy
	}
	return out
}
