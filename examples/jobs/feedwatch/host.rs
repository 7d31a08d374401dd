//! The host's calls. Requests and answers are blocks of memory that the host owns, each known by its offset; 0 is no block.

mod raw {
    #[link(wasm_import_module = "extism:host/env")]
    extern "C" {
        pub fn alloc(bytes: u64) -> u64;
        pub fn free(block: u64);
        pub fn length(block: u64) -> u64;
        pub fn load_u8(at: u64) -> u32;
        pub fn load_u64(at: u64) -> u64;
        pub fn store_u8(at: u64, byte: u32);
        pub fn store_u64(at: u64, bytes: u64);
        pub fn config_get(key: u64) -> u64;
        pub fn var_get(key: u64) -> u64;
        pub fn var_set(key: u64, value: u64);
        pub fn http_request(request: u64, body: u64) -> u64;
        pub fn http_status_code() -> i32;
        pub fn http_headers() -> u64;
        pub fn log_warn(text: u64);
    }
}

/// A response, or the error in place of one, which has the status 0.
pub struct Response {
    pub status: i32,
    pub headers: String, // a JSON object of strings
    pub body: Vec<u8>,
}

/// A value of the job's config.
pub fn config(key: &str) -> Option<String> {
    let key = give(key.as_bytes());
    let value = take(unsafe { raw::config_get(key) });
    unsafe { raw::free(key) }; // which the calls below do themselves
    value.map(text)
}

/// A value of the job's state.
pub fn var(key: &str) -> Option<String> {
    take(unsafe { raw::var_get(give(key.as_bytes())) }).map(text)
}

/// Writes a value of the job's state. It is kept if this run ends with exit code 0.
pub fn set_var(key: &str, value: &str) {
    unsafe { raw::var_set(give(key.as_bytes()), give(value.as_bytes())) }
}

/// Sends a request, which is a JSON object with url, method and headers.
pub fn http(request: &str) -> Response {
    let answer = unsafe { raw::http_request(give(request.as_bytes()), 0) };
    Response {
        status: unsafe { raw::http_status_code() },
        headers: take(unsafe { raw::http_headers() }).map_or_else(String::new, text),
        body: take(answer).unwrap_or_default(),
    }
}

pub fn warn(message: &str) {
    unsafe { raw::log_warn(give(message.as_bytes())) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Makes a block with these bytes.
fn give(bytes: &[u8]) -> u64 {
    if bytes.is_empty() {
        return 0;
    }
    let block = unsafe { raw::alloc(bytes.len() as u64) };
    assert!(block != 0, "no memory for {} bytes: raise the job's memory", bytes.len());
    let mut at = block;
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    for word in words {
        unsafe { raw::store_u64(at, u64::from_le_bytes(word.try_into().unwrap())) };
        at += 8;
    }
    for &byte in rest {
        unsafe { raw::store_u8(at, byte.into()) };
        at += 1;
    }
    block
}

/// Reads a block and frees it; None if there is none.
fn take(block: u64) -> Option<Vec<u8>> {
    if block == 0 {
        return None;
    }
    let len = unsafe { raw::length(block) };
    let mut bytes = Vec::with_capacity(len as usize);
    for at in (block..block + len / 8 * 8).step_by(8) {
        bytes.extend(unsafe { raw::load_u64(at) }.to_le_bytes());
    }
    for at in block + len / 8 * 8..block + len {
        bytes.push(unsafe { raw::load_u8(at) } as u8);
    }
    unsafe { raw::free(block) };
    Some(bytes)
}
