//! As much JSON as a request needs: strings, and objects that hold nothing but strings.

/// The text as a JSON string.
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A member of an object of strings.
pub fn member(object: &str, name: &str) -> Option<String> {
    let mut rest = object.trim_start().strip_prefix('{')?;
    loop {
        let (key, after) = string(rest)?;
        let (value, after) = string(after.trim_start().strip_prefix(':')?)?;
        if key == name {
            return Some(value);
        }
        rest = after.trim_start().strip_prefix(',')?;
    }
}

/// The string that the text begins with, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut chars = text.trim_start().strip_prefix('"')?.chars();
    let mut out = String::new();
    loop {
        out.push(match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' => match chars.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let unit = u32::from_str_radix(chars.as_str().get(..4)?, 16).ok()?;
                    chars = chars.as_str()[4..].chars();
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER) // no header has half a pair
                }
                other => other,
            },
            plain => plain,
        });
    }
}
