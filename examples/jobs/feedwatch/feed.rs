//! Reads feeds: RSS 0.9 to 2.0, and Atom.

use crate::xml::{attribute, Token, Tokens};

/// An entry of a feed. Its id stays the same when its title changes.
#[derive(Default)]
pub struct Entry {
    pub id: String,
    pub title: String,
    pub link: String,
}

/// The entries in the order of the feed; an error says why this is no feed.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut open: Vec<&str> = Vec::new(); // the elements around the token, from the root on
    let mut root = "";
    let mut entry: Option<(usize, Entry)> = None; // how many elements are around an entry's children
    for token in Tokens(text) {
        match token {
            Token::Open { name, attributes, empty } => {
                if root.is_empty() {
                    root = name;
                    if !["rss", "feed", "rdf:RDF"].contains(&root) {
                        return Err(format!("it is no feed: its first element is {:?}", root.chars().take(40).collect::<String>()));
                    }
                }
                match &mut entry {
                    None if name == "item" || name == "entry" => entry = Some((open.len() + 1, Entry::default())),
                    Some((depth, e)) if open.len() == *depth && name == "link" => atom_link(e, attributes),
                    _ => {}
                }
                if !empty {
                    open.push(name);
                } else if entry.as_ref().map_or(false, |(depth, _)| open.len() < *depth) {
                    entry = None; // <item/>
                }
            }
            Token::Close => {
                open.pop();
                if entry.as_ref().map_or(false, |(depth, _)| open.len() < *depth) {
                    entries.extend(entry.take().and_then(|(_, e)| complete(e)));
                }
            }
            Token::Text(text) => {
                if let Some((depth, e)) = &mut entry {
                    match open.get(*depth) {
                        Some(&"title") => e.title += &text,
                        Some(&"link") => e.link += &text,
                        Some(&"guid") | Some(&"id") => e.id += &text,
                        _ => {}
                    }
                }
            }
        }
    }
    match (root, open.is_empty()) {
        ("", _) => Err("it is no feed: it has no element".to_owned()),
        (_, false) => Err("it ends in the middle".to_owned()),
        _ => Ok(entries),
    }
}

/// Atom has the address in an attribute; the first link to the page itself counts.
fn atom_link(e: &mut Entry, attributes: &str) {
    let page = attribute(attributes, "rel").map_or(true, |rel| rel == "alternate");
    if page && e.link.is_empty() {
        e.link = attribute(attributes, "href").unwrap_or_default();
    }
}

/// The entry in plain lines, known by its id, else its link, else its title; None if it has none of them.
fn complete(mut e: Entry) -> Option<Entry> {
    for text in [&mut e.id, &mut e.title, &mut e.link] {
        *text = plain(text);
    }
    if e.id.is_empty() {
        e.id = if e.link.is_empty() { e.title.clone() } else { e.link.clone() };
    }
    Some(e).filter(|e| !e.id.is_empty())
}

/// The text in one line, and without what would steer a terminal.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}
