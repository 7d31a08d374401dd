//! feedwatch is a job: it fetches feeds and prints the entries that no earlier run of it has seen.

use std::collections::HashSet;

mod feed;
mod host;
mod json;
mod xml;

const TRY_AGAIN: i32 = 75;
const BAD_CONFIGURATION: i32 = 78; // disables the job until somebody has changed it

/// How many entries of a feed are remembered: those that it has, and then the ones that it had last.
const REMEMBERED: usize = 2000;

/// How long an address may be, so that it fits into a key of the state.
const LONGEST: usize = 500;

fn main() {
    let feeds = host::config("feeds").unwrap_or_default();
    let feeds: Vec<&str> = feeds.split_whitespace().collect();
    if feeds.is_empty() {
        eprintln!("feedwatch: no feeds: write config = {{ feeds = \"https://go.dev/blog/feed.atom\" }}, with blanks between several");
        std::process::exit(BAD_CONFIGURATION);
    }
    let mut read = 0;
    for url in &feeds {
        match watch(url) {
            Ok(()) => read += 1,
            Err(why) => host::warn(&format!("{url}: {why}")),
        }
    }
    // One that can be read is a success: were the run to fail, nothing of what it has seen would be kept.
    if read == 0 {
        eprintln!("feedwatch: none of {} feeds could be read", feeds.len());
        std::process::exit(TRY_AGAIN);
    }
}

/// Fetches one feed, prints what is new and remembers it.
fn watch(url: &str) -> Result<(), String> {
    if url.len() > LONGEST {
        return Err(format!("the address has more than {LONGEST} bytes"));
    }
    let key = format!("feed {url}");
    let known = host::var(&key);
    let (tag, ids) = known.as_deref().and_then(|text| text.split_once('\n')).unwrap_or_default();
    let (body, new_tag) = match fetch(url, tag)? {
        Some(fetched) => fetched,
        None => return Ok(()),
    };
    let entries = feed::parse(&body)?;
    let seen: HashSet<&str> = ids.lines().collect();
    let mut now = HashSet::new(); // a feed may hold an entry twice
    let mut remember = Vec::new();
    for entry in &entries {
        let id = hash(&entry.id);
        if !now.insert(id.clone()) {
            continue;
        }
        if known.is_some() && !seen.contains(id.as_str()) {
            println!("new: {}\n     {}", entry.title, entry.link);
        }
        remember.push(id);
    }
    if known.is_none() {
        println!("watching {url}: {} entries so far", remember.len());
    }
    remember.extend(ids.lines().filter(|id| !now.contains(*id)).map(str::to_owned));
    remember.truncate(REMEMBERED);
    host::set_var(&key, &format!("{new_tag}\n{}", remember.join("\n")));
    Ok(())
}

/// The feed's text and its tag; None if it is still the one with the old tag.
fn fetch(url: &str, tag: &str) -> Result<Option<(String, String)>, String> {
    let condition = if tag.is_empty() { String::new() } else { format!(",\"If-None-Match\":{}", json::quote(tag)) };
    let accept = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.1";
    let request = format!(
        "{{\"url\":{},\"method\":\"GET\",\"headers\":{{\"Accept\":{}{condition}}}}}",
        json::quote(url),
        json::quote(accept)
    );
    let response = host::http(&request);
    match response.status {
        200 => {
            let tag = json::member(&response.headers, "etag").unwrap_or_default();
            Ok(Some((String::from_utf8_lossy(&response.body).into_owned(), tag)))
        }
        304 => Ok(None),
        0 => Err(json::member(&response.headers, "wcron-error").unwrap_or_default()), // the host's own line says more
        status => Err(format!("the server answers with status {status}")),
    }
}

/// A short stand-in for an id, so that long ones do not fill the state: FNV-1a with 64 bits.
fn hash(id: &str) -> String {
    let sum = id.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    format!("{sum:016x}")
}
