package config

// Place finds the value of a key in the text of a file, with the keys from the outermost on. The Position has Line 0 where there is
// no such key, or the text is not TOML.
func Place(name string, src []byte, keys ...string) Position {
	nowhere := Position{File: name}
	var out problems
	doc := parse(name, src, maxFile, &out)
	if doc == nil {
		return nowhere
	}
	at := doc.root
	for _, k := range keys {
		if at = at.last().kids[k]; at == nil {
			return nowhere
		}
	}
	return doc.position(at.value)
}

// PlaceInFile is Place in the file at path, which is known as name. A file that cannot be read has no places.
func PlaceInFile(path, name string, keys ...string) Position {
	var out problems
	src, err := readFile(path, &out)
	if src == nil || err != nil {
		return Position{File: name}
	}
	return Place(name, src, keys...)
}
