package bench

import (
	"fmt"
	"time"

	"github.com/wcron/wcron/claims"
	"github.com/wcron/wcron/host"
	"github.com/wcron/wcron/internal/guest"
)

// mortals are jobs for a host that is killed: at any moment one of even and odd is asleep, and some jobs get another attempt.
func mortals() []host.Job {
	var jobs []host.Job
	add := func(n int, name, schedule string, wasm []byte, retry claims.RetryPolicy) {
		for i := range n {
			jobs = append(jobs, host.Job{Name: fmt.Sprintf("%s-%d", name, i), Module: host.Bytes(wasm), Schedule: schedule,
				Timeout: 10 * time.Second, Retry: retry})
		}
	}
	again := claims.RetryPolicy{Retries: 3, On: []string{string(claims.Orphaned)}}
	add(4, "greet", everySecond, guest.Hello(), claims.RetryPolicy{})
	add(4, "nap", everySecond, guest.Sleep(700*time.Millisecond), claims.RetryPolicy{})
	add(2, "even", "*/2 * * * * *", guest.Sleep(1500*time.Millisecond), claims.RetryPolicy{})
	add(2, "odd", "1-59/2 * * * * *", guest.Sleep(1500*time.Millisecond), claims.RetryPolicy{})
	add(3, "again", "*/5 * * * * *", guest.Sleep(2*time.Second), again)
	return jobs
}

// attemptsAllowed is how many runs a slot of a mortal or of a job under torture may have.
func attemptsAllowed(job string) int {
	for _, j := range mortals() {
		if j.Name == job {
			return 1 + j.Retry.Retries
		}
	}
	for _, j := range tortured() {
		if j.name == job {
			return 1 + j.retries
		}
	}
	return 1
}
