// Package bench measures the whole scheduler at work: the real host on the real embedded store, with jobs that behave and jobs that
// do not. It does not know how a figure came to be: each is read from the ledger afterwards, as any reader of it could.
//
// [Crowd] runs one host in this process, [TwoHosts] two processes on one state folder, [Killed] a process that is killed again and
// again, [Torture] several processes of wcron serve at once, judged by what their guests say. [Metering] and [Start] measure the
// sandbox alone, beside the bare engine and beside processes. Each has a program of its own below this folder, which README.md
// describes.
package bench
