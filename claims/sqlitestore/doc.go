// Package sqlitestore keeps the ledger in a folder: an SQLite database, and beside it the lock files that prove who lives. It does
// not know when a job is due, what a run does, or when an owner is given up: it decides the race for a row and nothing else.
//
// # The folder
//
//	ledger.db                         the database, in WAL mode with synchronous=FULL
//	ledger.lock                       the short lock in front of every write transaction
//	owners/<instance>.lock            held by each host for its whole life
//	jobs/<16 hex>.<lane>.lock         held by each run from before its guest starts until the guest is gone
//	output/<2 hex>/<run>-<8 hex>.log  outputs of more than 64 KiB; the eight digits are of the content's digest
//
// The folder is 0700 and the files are 0600. Several processes may have it open. Lock files are empty. A lock on a
// file that has no name any more excludes nobody, so they are never deleted, but for those of owners that have left or are dead: their
// ids are never used again, and who takes such a lock looks afterwards whether its file still has its name. Network file systems are refused, because a lock there may be lost or is not
// seen by the other side.
//
// # Writes
//
// One goroutine per Store commits. It takes what is queued, up to 256 requests or 4 MiB of output, takes the short lock, and carries
// all of it out in one transaction with one savepoint per request: a request that fails changes nothing and spoils nothing for the
// others. Concurrent callers so share the price of one sync. The lock is waited for in the kernel, where waiters queue up: SQLite's
// own locking starves whole processes.
//
// # Reads
//
// Reads run on connections of their own, see the last commit, never wait for a writer and never make one wait.
//
// # Versions
//
// The schema has a number. A store of a lower one is brought up to date when it is opened; a higher one is refused with
// [claims.ErrNewer], also by every write when it rises while the store is open. What ends a run or an owner is still written then, so
// that a host of the older version can finish, unless the newer version has said in the store that this would spoil it.
package sqlitestore
