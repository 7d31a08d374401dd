// The host's calls. Texts are blocks of memory that the host owns, each known by its offset; 0 is no block.

// @ts-ignore: decorator
@external("extism:host/env", "alloc")
declare function alloc(bytes: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "free")
declare function free(block: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "length")
declare function length(block: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "load_u8")
declare function load_u8(at: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "store_u8")
declare function store_u8(at: u64, byte: u32): void;
// @ts-ignore: decorator
@external("extism:host/env", "config_get")
declare function config_get(key: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "var_get")
declare function var_get(key: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "var_set")
declare function var_set(key: u64, value: u64): void;
// @ts-ignore: decorator
@external("extism:host/user", "wcron_progress")
declare function wcron_progress(request: u64): u64;

/** Makes a block with a text. */
function give(text: string): u64 {
  const bytes = Uint8Array.wrap(String.UTF8.encode(text));
  if (bytes.length == 0) return 0;
  const block = alloc(bytes.length);
  assert(block != 0, "no memory for a text; raise the job's memory");
  for (let i = 0; i < bytes.length; i++) store_u8(block + i, bytes[i]);
  return block;
}

/** The text of a block, which is freed; null if there is none. */
function take(block: u64): string | null {
  if (block == 0) return null;
  const bytes = new Uint8Array(<i32>length(block));
  for (let i = 0; i < bytes.length; i++) bytes[i] = <u8>load_u8(block + i);
  free(block);
  return String.UTF8.decode(bytes.buffer);
}

/** A value of the job's config, or null. */
export function config(key: string): string | null {
  const name = give(key);
  const value = take(config_get(name));
  free(name); // which the calls of the state do themselves
  return value;
}

/** A value of the job's state, or null. */
export function get(key: string): string | null {
  return take(var_get(give(key)));
}

/** Writes a value of the state. It is kept if the run ends with exit code 0. */
export function set(key: string, value: string): void {
  var_set(give(key), give(value));
}

/** Says how far the run is; `wcron list` shows it. */
export function progress(percent: i32): void {
  const request = give('{"percent":' + percent.toString() + "}");
  free(wcron_progress(request));
  free(request);
}
