// Package fingerprint says which process a pid is, and whether that process still runs.
// It does not know jobs, claims, locks or leases, and it never reads the clock.
//
// A pid alone proves nothing: it is given to another process later, means another process in another container, and
// stays taken by a zombie. [Evidence] is what a process records about itself beside its pid; [Judge] compares it with
// what the machine says now. The verdict is [Dead] only on proof. Whatever is missing, malformed, forbidden or a matter
// of another machine is [Unknown], and then the caller waits for something that does not hang on a pid.
//
// The evidence and its verdict, first match first:
//
//	a record of a newer version                                   unknown
//	a record that is missing, malformed or of an older version    unknown
//	"pid-suffix" alone, and no process has the pid                dead
//	"pid-suffix" alone, and a zombie has the pid                  dead
//	"pid-suffix" alone, and a process has the pid                 unknown
//	this machine does not say which boot it is in                 unknown
//	another platform                                              unknown
//	another boot of this machine                                  dead
//	another boot, and the machine is another or not named         unknown
//	another pid namespace                                         unknown
//	no process has the pid                                        dead
//	a zombie has the pid                                          dead
//	permission is missing                                         unknown
//	same pid, another pidfs inode                                 dead
//	same pidfs inode                                              alive
//	same pidfs inode, read in another time namespace              alive
//	neither inode nor start time can be compared                  unknown
//	start time read in another time namespace                     unknown
//	same pid, another start time                                  dead
//	same pid, same start time                                     alive
//	same process, stopped                                         alive
//	same process, main thread ended while others run              unknown
//
// # What the platforms give
//
// Linux: the boot id, the inodes of the pid and time namespaces, the inode of the pidfd (from 6.9 on, never given twice
// in one boot), else the start time in /proc/PID/stat. The inode needs no permission, and answers under hidepid too.
// macOS: kern.bootsessionuuid, and start time and state from kern.proc.pid. Windows: the creation time, and a wait
// of no length on the process; it names no boot, so every verdict needs the same machine and host name.
//
// Another boot is proof of death only if it was a boot of this machine, so [Evidence.Machine] and [Evidence.Host] must
// both agree. In a Linux container the machine stays unnamed, since the image brings its own machine id: there, a record
// of another boot is Unknown.
//
// Not told apart: machines resumed from one snapshot of memory, which share boot id, machine id and host name.
package fingerprint
