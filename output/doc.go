// Package output keeps what one run writes to stdout and stderr, under a limit: the head and the tail are kept, and one line in
// between says how much was cut. It does not know what a run, a job or the ledger is: the caller gives a name and a folder.
//
// # What is kept
//
// A stream of at most Limit bytes is kept whole. Of a longer one the first Limit/2 bytes are kept, then the line
//
//	[... 123456 bytes cut ...]
//
// and then as much of the end as fits; the total, that line included, never exceeds Limit. Both cuts are moved to UTF-8
// boundaries, so that no character is torn by them.
//
// # Where it is
//
// A short run's output stays in memory. Once the run is Config.After old, or has written more than Config.Inline, it is spooled:
//
//	DIR/<name>.head      the first bytes, appended up to half of the limit
//	DIR/<name>.tail.<n>  what follows, in segments of a quarter of the limit, n = 0, 1, 2, …; the newest three are there
//	DIR/<name>.part      the finished output while it is put together
//	DIR/<name>.out       the finished output: synced, and the caller's to rename away
//
// A segment begins only when the one before it is full, and an old one goes only when two full ones are newer. So the last half
// of the limit is on disk at any instant, whoever is killed then, and the spool takes 5/4 of the limit (plus up to 1 KiB of
// rounding, see geometry). From Finish to Discard the finished file comes on top of it.
//
// The spool itself is not synced: it survives the death of the process, not the loss of power. The finished file survives both.
//
// # Who sees it when
//
// A write after a quiet moment goes to the kernel at once. The writes that follow it are gathered for up to 20 ms or 32 KiB, so
// that a run that writes in an endless loop costs few system calls. Another process reads along with [Follow], and puts together
// what a dead process left with [Recover].
package output
