//! logsummary is a job: it counts the levels of a log and its most frequent messages.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

mod json;

const BAD_INPUT: i32 = 1;
const BAD_CONFIGURATION: i32 = 78; // disables the job until somebody has changed it

/// The levels from the gravest on, each with its other spellings.
const LEVELS: [(&str, &[&str]); 5] = [
    ("FATAL", &["CRITICAL", "PANIC", "EMERG"]),
    ("ERROR", &["ERR"]),
    ("WARN", &["WARNING"]),
    ("INFO", &["NOTICE"]),
    ("DEBUG", &["TRACE"]),
];

struct Options {
    top: usize,   // messages to print
    least: usize, // index of the mildest level whose messages are printed
}

fn main() {
    let result = options().map_err(|e| (BAD_CONFIGURATION, e)).and_then(|o| run(&o).map_err(|e| (BAD_INPUT, e)));
    if let Err((code, message)) = result {
        eprintln!("logsummary: {message}");
        std::process::exit(code);
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options { top: 5, least: 2 };
    for arg in std::env::args().skip(1) {
        match arg.split_once('=') {
            Some(("--top", n)) => options.top = n.parse().map_err(|_| format!("{arg}: want a number, such as --top=5"))?,
            Some(("--level", name)) => {
                options.least = level(name).ok_or(format!("{arg}: want a level, such as --level=warn"))?
            }
            _ => return Err(format!("{arg:?} is no argument of this job; it takes --top=N and --level=NAME")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let mut event = Vec::new();
    io::stdin().read_to_end(&mut event).map_err(|e| format!("read the event: {e}"))?;
    let event = String::from_utf8_lossy(&event);
    let log = json::member(&event, "input")
        .and_then(|input| json::member(input, "log"))
        .and_then(json::string)
        .ok_or("want an input with the string \"log\"")?;

    let mut counts = [0usize; LEVELS.len()];
    let mut other = 0;
    let mut messages: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for line in log.lines().filter(|l| !l.trim().is_empty()) {
        match parse(line) {
            Some((level, message)) => {
                counts[level] += 1;
                if level <= options.least {
                    *messages.entry((level, pattern(message))).or_default() += 1;
                }
            }
            None => other += 1,
        }
    }
    print(&counts, other, messages, options.top).map_err(|e| format!("write the summary: {e}"))
}

fn print(counts: &[usize], other: usize, messages: BTreeMap<(usize, String), usize>, top: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for ((name, _), n) in LEVELS.iter().zip(counts) {
        writeln!(out, "{name:<5} {n:>6}")?;
    }
    writeln!(out, "other {other:>6}")?;
    let mut messages: Vec<_> = messages.into_iter().collect();
    messages.sort_by(|a, b| b.1.cmp(&a.1)); // stable: of equally many the graver first, then by text
    if top > 0 && !messages.is_empty() {
        writeln!(out)?;
    }
    for ((level, text), n) in messages.iter().take(top) {
        writeln!(out, "{n:>6}  {:<5}  {text}", LEVELS[*level].0)?;
    }
    out.flush()
}

/// The index of a level's name in LEVELS.
fn level(name: &str) -> Option<usize> {
    let name = name.to_ascii_uppercase();
    LEVELS.iter().position(|(usual, others)| *usual == name || others.contains(&name.as_str()))
}

/// The level and the message of a line: the level is among its first five words, as `ERROR`, `[error]`, `error:` or `level=error`.
fn parse(line: &str) -> Option<(usize, &str)> {
    let mut rest = line.trim_start();
    for _ in 0..5 {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let word = rest[..end].trim_start_matches("level=");
        rest = rest[end..].trim_start();
        if let Some(level) = level(word.trim_matches(|c: char| !c.is_ascii_alphanumeric())) {
            return Some((level, rest.trim_end()));
        }
    }
    None
}

/// The message with # for each number, so that messages differing in numbers alone are one.
fn pattern(message: &str) -> String {
    let mut out = String::new();
    for c in message.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }) {
        if c != '#' || !out.ends_with('#') {
            out.push(c);
        }
    }
    out
}
