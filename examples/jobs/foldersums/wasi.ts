// As much of WASI as the job needs: folders and files below the granted one, stdout, stderr and the exit code.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_prestat_get")
declare function fd_prestat_get(fd: i32, prestat: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_prestat_dir_name")
declare function fd_prestat_dir_name(fd: i32, path: usize, len: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  dir: i32, lookup: i32, path: usize, len: usize, flags: i32, rights: i64, inheriting: i64, fdflags: i32, fd: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_readdir")
declare function fd_readdir(fd: i32, entries: usize, len: usize, cookie: i64, used: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: i32, vectors: usize, count: usize, read: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, vectors: usize, count: usize, written: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: i32): void;

const OPEN_FOLDER: i32 = 2; // the open flag that refuses what is no folder
const RIGHTS: i64 = 1 << 1 | 1 << 13 | 1 << 14; // to read, to open what is below, to list
const FIRST_FD = 3; // after stdin, stdout and stderr come the granted folders
const HEADER = 24; // bytes of a folder's entry before its name

const FOLDER: u8 = 3, REGULAR: u8 = 4; // kinds of entries

/** Room for answers and vectors of the calls, which keep nothing of it. */
const small = memory.data(16);

/** What has been read of a file or a folder. */
const block = new StaticArray<u8>(64 << 10);
const start = changetype<usize>(block);

function print(fd: i32, text: string): void {
  const bytes = String.UTF8.encode(text + "\n");
  let at = changetype<usize>(bytes), left: usize = bytes.byteLength;
  while (left > 0) {
    store<usize>(small, at);
    store<usize>(small, left, 4);
    if (fd_write(fd, small, 1, small + 8) != 0) return; // nobody is there to be told
    const n = load<usize>(small, 8);
    at += n;
    left -= n;
  }
}

export function say(text: string): void {
  print(1, text);
}

export function warn(text: string): void {
  print(2, "foldersums: " + text);
}

/** Ends the run as a failure. */
export function fail(text: string): void {
  warn(text);
  proc_exit(1);
}

/** What the language calls where it cannot go on; the build command says so. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  fail((message ? message : "abort") + " at " + (file ? file : "?") + ":" + line.toString() + ":" + column.toString());
}

/** The descriptor of the folder that is granted under this path, or -1. */
export function granted(path: string): i32 {
  for (let fd = FIRST_FD; fd_prestat_get(fd, small) == 0; fd++) {
    const len = load<usize>(small, 4);
    if (len <= <usize>block.length && fd_prestat_dir_name(fd, start, len) == 0 && String.UTF8.decodeUnsafe(start, len) == path) return fd;
  }
  return -1;
}

/** Opens what is below a folder, and never follows a link at the end of the path. It returns the descriptor, or -1 with a warning. */
function open(root: i32, path: string, flags: i32): i32 {
  const bytes = String.UTF8.encode(path);
  const errno = path_open(root, 0, changetype<usize>(bytes), bytes.byteLength, flags, RIGHTS, RIGHTS, 0, small);
  if (errno == 0) return load<i32>(small);
  warn(path + " cannot be opened: errno " + errno.toString());
  return -1;
}

/** Whether a name has characters that would spoil the output and the state. */
function control(name: string): bool {
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) < 0x20 || name.charCodeAt(i) == 0x7f) return true;
  }
  return false;
}

/** Adds the paths of the files below a folder; "" is the root itself. Links and special files are passed over. False: not all of them. */
export function list(root: i32, below: string, paths: string[]): bool {
  const fd = below == "" ? root : open(root, below, OPEN_FOLDER);
  if (fd < 0) return false;
  const folders: string[] = [];
  let cookie: i64 = 0, more = true, whole = true;
  while (more) {
    const errno = fd_readdir(fd, start, block.length, cookie, small);
    if (errno != 0) {
      warn((below == "" ? "the folder" : below) + " cannot be listed: errno " + errno.toString());
      whole = false;
      break;
    }
    const end = start + load<usize>(small);
    more = end == start + block.length; // it is full, so there may be more
    for (let at = start; at + HEADER <= end;) {
      const len = load<u32>(at, 16), kind = load<u8>(at, 20);
      if (at + HEADER + len > end) break; // the end is cut off; it comes again
      const name = String.UTF8.decodeUnsafe(at + HEADER, len);
      cookie = load<i64>(at);
      at += HEADER + len;
      if (name == "." || name == "..") continue;
      const path = below == "" ? name : below + "/" + name;
      if (control(name)) {
        warn("a name with control characters is passed over in " + (below == "" ? "the folder" : below));
        continue;
      }
      if (kind == FOLDER) folders.push(path);
      if (kind == REGULAR) paths.push(path);
    }
  }
  if (fd != root) fd_close(fd);
  for (let i = 0; i < folders.length; i++) whole = list(root, folders[i], paths) && whole;
  return whole;
}

/** Gives a file to a function, block by block. False: it cannot be read to its end. */
export function read(root: i32, path: string, take: (at: usize, len: usize) => void): bool {
  const fd = open(root, path, 0);
  if (fd < 0) return false;
  let errno = 0;
  for (;;) {
    store<usize>(small, start);
    store<usize>(small, block.length, 4);
    errno = fd_read(fd, small, 1, small + 8);
    const n = load<usize>(small, 8);
    if (errno != 0 || n == 0) break;
    take(start, n);
  }
  fd_close(fd);
  if (errno != 0) warn(path + " cannot be read: errno " + errno.toString());
  return errno == 0;
}
