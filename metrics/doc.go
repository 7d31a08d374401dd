// Package metrics turns a host's events into counters, histograms and gauges in the text format of Prometheus. It does not know how
// they are served, nor what stands in the ledger: what a host did before it was started is not in them.
//
// # Names and labels
//
// docs/operations.md lists every metric with its unit. The number of series is bounded, whatever jobs are called and however they come
// and go: the series of a job go with the job, at most [MaxJobs] jobs have series of their own, the others share the job "_other", and
// the values of every other label are a fixed list.
package metrics
