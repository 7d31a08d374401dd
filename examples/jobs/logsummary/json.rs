//! Reads what a job needs of its event: members of objects, and strings. What is no JSON gives None or is misread, and never panics.

/// The value of a key of the object that `text` begins with, and what follows it. Of two with one key it is the last.
pub fn member<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = text.trim_start().strip_prefix('{')?.trim_start();
    let mut found = None;
    while rest.starts_with('"') {
        let matches = string(rest)? == key;
        rest = rest[after_string(rest)..].trim_start().strip_prefix(':')?.trim_start();
        if matches {
            found = Some(rest);
        }
        rest = rest[after_value(rest)..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    found
}

/// The text of the string that `text` begins with.
pub fn string(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut out = String::new();
    let mut high = None; // the first half of a surrogate pair
    loop {
        let c = match chars.next()? {
            '"' => break,
            '\\' => match chars.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let unit = u32::from_str_radix(chars.as_str().get(..4)?, 16).ok()?;
                    chars = chars.as_str()[4..].chars();
                    match (high.take(), unit) {
                        (Some(first), 0xdc00..=0xdfff) => pair(first, unit),
                        (first, _) => {
                            if first.is_some() {
                                out.push(char::REPLACEMENT_CHARACTER);
                            }
                            if (0xd800..0xdc00).contains(&unit) {
                                high = Some(unit);
                                continue;
                            }
                            char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                        }
                    }
                }
                other => other, // a quote, a backslash, a slash
            },
            plain => plain,
        };
        if high.take().is_some() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        out.push(c);
    }
    if high.is_some() {
        out.push(char::REPLACEMENT_CHARACTER);
    }
    Some(out)
}

fn pair(high: u32, low: u32) -> char {
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Where the string that `text` begins with ends.
fn after_string(text: &str) -> usize {
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where the value that `text` begins with ends. It does not recurse, so that no depth exhausts the stack.
fn after_value(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&b) = text.as_bytes().get(at) {
        match b {
            b'"' => at += after_string(&text[at..]),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {
                if depth == 0 {
                    return at;
                }
                at += 1;
                continue;
            }
            _ => {
                // a number, true, false or null: up to what ends it
                let word = &text[at..];
                at += word.find(|c: char| ",:{}[]\" \t\r\n".contains(c)).unwrap_or(word.len());
            }
        }
        if depth == 0 {
            return at;
        }
    }
    at
}
