// Package config reads wcron's TOML files into checked values: the host file, the files of jobs.d, sidecars and manifests.
// It does not know what a schedule or a module is: it checks shapes, units and ranges, and reads no file but those it is asked for.
//
// # Strictness
//
// Every key is known, spelled in exactly one way, given once, and has a value of its type and range; anything else is a
// [Problem] with file, line, column and remedy. All problems that can be found are reported together, in one [Error].
// A file with a problem yields no values at all, so that a caller keeps the configuration that it has.
//
// # Layers
//
// A [Job] holds only what a layer says. Layers merge with [Job.Over], lowest first:
//
//	built-in values < host timezone < [defaults] < manifest < sidecar < host file or jobs.d
//
// [File.Base] is the first three of them, [Job.Resolve] turns the result into plain [Settings], and [Caps.Limit] holds what a
// plugin asks for itself below what the operator allows.
//
// # Hostile text
//
// A manifest comes from a stranger. Before the TOML parser sees a byte, one linear pass refuses text that is too long, not
// UTF-8, nested too deeply or has over-long keys: each of these makes the parser need gigabytes or minutes. The same pass
// records where each key and value stands, which the parser does not tell.
//
// Nothing in this package keeps state: all functions may be called concurrently. Values that it returns are the caller's,
// except that merged Jobs share the pointers and slices of their layers: treat a Job as read-only once it is made.
package config
