/* json.h reads what a job needs of its event: members of objects, and strings. The text must be JSON, as a host's event always
 * is; what is no JSON is at worst misread, never read beyond its NUL. */
#ifndef JSON_H
#define JSON_H

#include <stdlib.h>
#include <string.h>

static const char *json_blank(const char *p) { return p + strspn(p, " \t\r\n"); }

/* json_after is what follows the string at p, or its NUL. */
static const char *json_after(const char *p) {
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* json_skip is what follows the value at p. It does not recurse, so that no depth exhausts the stack. */
static const char *json_skip(const char *p) {
	long depth = 0;
	do {
		p = json_blank(p);
		if (*p == '"')
			p = json_after(p);
		else if (*p == '{' || *p == '[')
			depth++, p++;
		else if (*p == '}' || *p == ']')
			depth--, p++;
		else if (*p == ',' || *p == ':')
			p++;
		else {
			size_t n = strcspn(p, ",:{}[]\" \t\r\n"); /* a number, true, false or null */
			if (n == 0)
				break; /* the end of the text */
			p += n;
		}
	} while (depth > 0);
	return p;
}

/* json_hex reads four digits at *p; fewer, which is no JSON, are a question mark. */
static unsigned json_hex(const char **p) {
	char digits[5] = {0};
	memcpy(digits, *p, strnlen(*p, 4));
	size_t n = strspn(digits, "0123456789abcdefABCDEF");
	digits[n] = 0;
	*p += n;
	return n < 4 ? '?' : (unsigned)strtoul(digits, NULL, 16);
}

/* json_utf8 writes a code point and returns where it ends. */
static char *json_utf8(char *to, unsigned c) {
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* json_unicode reads what follows \u at *p, and the second half of a pair with it. Half a pair and NUL, which a C string cannot
 * hold, become U+FFFD. */
static unsigned json_unicode(const char **p) {
	unsigned c = json_hex(p);
	if (c >= 0xd800 && c < 0xdc00 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		const char *q = *p + 2;
		unsigned low = json_hex(&q);
		if (low >= 0xdc00 && low < 0xe000) {
			*p = q;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return c == 0 || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
}

/* json_string is the text of the string at p, to be freed; NULL if there is no string, or no memory. */
static char *json_string(const char *p) {
	if (p == NULL || *p != '"')
		return NULL;
	char *text = malloc((size_t)(json_after(p) - p) + 1), *to = text; /* no escape is shorter than what it stands for */
	if (text == NULL)
		return NULL;
	for (p++; *p && *p != '"';) {
		if (*p != '\\' || p[1] == 0) {
			*to++ = *p++;
			continue;
		}
		char c = p[1];
		p += 2;
		switch (c) {
		case 'b': *to++ = '\b'; break;
		case 'f': *to++ = '\f'; break;
		case 'n': *to++ = '\n'; break;
		case 'r': *to++ = '\r'; break;
		case 't': *to++ = '\t'; break;
		case 'u': to = json_utf8(to, json_unicode(&p)); break;
		default: *to++ = c; /* quote, backslash, slash */
		}
	}
	*to = 0;
	return text;
}

/* json_member is the value of a key of the object at p; NULL if there is none, or no object. Of two with one key it is the last,
 * as with most readers. */
static const char *json_member(const char *p, const char *key) {
	const char *found = NULL;
	if (p == NULL || *p != '{')
		return NULL;
	for (p = json_blank(p + 1); *p == '"';) {
		char *name = json_string(p);
		if (name == NULL)
			return NULL;
		int match = strcmp(name, key) == 0;
		free(name);
		p = json_blank(json_after(p));
		if (*p != ':')
			return NULL;
		p = json_blank(p + 1);
		if (match)
			found = p;
		p = json_blank(json_skip(p));
		if (*p == ',')
			p = json_blank(p + 1);
	}
	return found;
}

#endif
