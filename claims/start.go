package claims

// StartRefusal says why a job has no run when a host starts, beside what the host itself may have against it; empty: it has one.
func StartRefusal(j Job, r Request) string {
	switch {
	case r.Reason != "":
		return r.Reason
	case j.Paused:
		return pausedReason(j)
	case j.Disabled != "":
		return "disabled: " + j.Disabled
	case j.Done:
		return "its repeat limit is reached"
	}
	return ""
}
