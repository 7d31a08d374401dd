//! Takes XML apart into tags and text. It is not strict: what is not well-formed is passed over or taken as text, and it never panics.

/// What a document is made of.
pub enum Token<'a> {
    Open { name: &'a str, attributes: &'a str, empty: bool },
    Close,
    Text(String),
}

/// The tokens of a document, in order.
pub struct Tokens<'a>(pub &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            if !self.0.starts_with('<') {
                return Some(Token::Text(unescape(self.until("<", false))));
            }
            if self.skip("<![CDATA[") {
                return Some(Token::Text(self.until("]]>", true).to_owned()));
            }
            if self.skip("<!--") {
                self.until("-->", true);
            } else if self.skip("<?") {
                self.until("?>", true);
            } else if self.skip("<!") {
                self.until(">", true);
            } else if self.skip("</") {
                self.until(">", true);
                return Some(Token::Close);
            } else {
                self.skip("<");
                return Some(self.tag());
            }
        }
    }
}

impl<'a> Tokens<'a> {
    fn skip(&mut self, prefix: &str) -> bool {
        match self.0.strip_prefix(prefix) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the mark, or all that is left; the mark itself is passed over if it is to be.
    fn until(&mut self, mark: &str, pass: bool) -> &'a str {
        let at = self.0.find(mark).unwrap_or(self.0.len());
        let (before, rest) = self.0.split_at(at);
        self.0 = if pass { rest.strip_prefix(mark).unwrap_or(rest) } else { rest };
        before
    }

    /// A tag whose < is passed. Its attributes may hold a > in quotes.
    fn tag(&mut self) -> Token<'a> {
        let mut quote = None;
        let end = self.0.find(|c| match quote {
            Some(q) => {
                if c == q {
                    quote = None;
                }
                false
            }
            None => {
                if c == '"' || c == '\'' {
                    quote = Some(c);
                }
                c == '>'
            }
        });
        let (inside, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.strip_prefix('>').unwrap_or(rest);
        let (inside, empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let (name, attributes) = inside.split_at(inside.find(char::is_whitespace).unwrap_or(inside.len()));
        Token::Open { name, attributes, empty }
    }
}

/// An attribute of a tag.
pub fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| "\"'".contains(*c))?;
        let (value, after) = after[1..].split_once(quote)?;
        if name.trim() == wanted {
            return Some(unescape(value));
        }
        rest = after;
    }
}

/// The text with its references replaced. One that is not known stays as it is.
pub fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out += &rest[..at];
        rest = &rest[at..];
        let end = rest.find(';').filter(|&end| end < 12);
        match end.and_then(|end| reference(&rest[1..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
