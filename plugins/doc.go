// Package plugins says which jobs exist now: it follows the plugin folder, the host file and jobs.d, and merges what they say into
// an immutable [Set]. It never compiles or runs a module, and does not know the host, its claims or a ledger.
//
// # What makes a job
//
// NAME.wasm in the plugin folder is the job NAME. A job of the host file or jobs.d with that name changes it; one of another name
// with that file as its plugin is one more job over it. What a job is given is the merge of these layers, lowest first:
//
//	built-in < the default zone < [defaults] < manifest < sidecar < [jobs.NAME] or jobs.d/NAME.toml
//
// The manifest is TOML in the custom section wcron.manifest of the module, the sidecar is NAME.toml beside it. What these two ask
// for is cut to [caps]; what the operator writes is not. The name in a manifest is for people: the file's name is the job's.
//
// The default zone is the host file's timezone, else the machine's by name (TZ, /etc/localtime, /etc/timezone), else UTC.
//
// # What a job may do
//
// A manifest or sidecar requests, the operator grants: by hand in [jobs.NAME.grant], or by a decision about one version of the
// plugin, which [Source.Records] brings in from whoever keeps it. [Access] says what came of it. A version that nobody has decided about
// runs if it requests nothing, or nothing beyond the version before; else the version before goes on, from the content store, and
// where there is none the job is Pending. What a set accepts without anybody's word is in Access.Accept, for the caller to keep.
//
// # When a file counts
//
// A scan asks only for the stamp of each file (size, times, mode, inode). Another stamp makes the file be read once it has not
// changed for [Config.Settle], and its digest decides whether it is another plugin. A module and its sidecar are taken over
// together. What is refused leaves the version in use in use, with the reason; where there is none, the job is broken.
// Events of the system make a scan come sooner; a scan comes every [Config.Rescan] without them.
//
// A folder or a configuration that is refused leaves the last good one in use. The folder is not looked into while every user
// of the machine can write to it.
//
// # What nothing in the folder can do
//
// A file is looked at before it is opened, only plain files are opened, without waiting, and no more than 64 MiB of a module and
// 64 KiB of a sidecar are read. Links are followed, also out of the folder. Names that are hidden, or that editors and copying
// tools use while they write, are passed over, as is everything that does not end in .wasm or .toml.
//
// # Bytes
//
// The bytes of each accepted plugin are kept by digest in the content store, so that a job runs what was accepted while the
// folder already holds something else. Several processes may share the store.
package plugins
