/* feeddiff is a job: it prints what is new, gone or changed between two snapshots of a feed. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { OK = 0, BAD_INPUT = 1, TRY_AGAIN = 75 };

/* An entry of a feed, as one line of its snapshot: a link, a tab and a title. */
struct entry {
	char *link, *title;
};

struct feed {
	struct entry *entries; /* by link */
	size_t len;
};

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("feeddiff: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(BAD_INPUT);
}

static void *grow(void *old, size_t bytes) {
	void *p = realloc(old, bytes);
	if (p == NULL)
		fail("no memory for %zu bytes; raise the job's memory", bytes);
	return p;
}

/* read_all is what stdin holds, with a NUL after it. */
static char *read_all(void) {
	size_t len = 0, room = 1 << 16;
	char *text = grow(NULL, room);
	for (;;) {
		size_t n = fread(text + len, 1, room - len - 1, stdin);
		len += n;
		if (n == 0)
			break;
		if (room - len < 1 << 12)
			text = grow(text, room *= 2);
	}
	if (ferror(stdin))
		fail("read the event: %s", strerror(errno));
	text[len] = 0;
	return text;
}

static int by_link(const void *a, const void *b) {
	return strcmp(((const struct entry *)a)->link, ((const struct entry *)b)->link);
}

/* parse reads a snapshot. The feed points into the text. */
static struct feed parse(const char *which, char *text) {
	struct feed feed = {NULL, 0};
	size_t room = 0;
	int line = 0;
	for (char *next; text != NULL; text = next) {
		line++;
		next = strchr(text, '\n');
		if (next != NULL)
			*next++ = 0;
		size_t len = strlen(text);
		if (len > 0 && text[len - 1] == '\r')
			text[--len] = 0;
		if (len == 0)
			continue;
		char *tab = strchr(text, '\t');
		if (tab == NULL || tab == text)
			fail("%s, line %d: want a link, a tab and a title, got \"%.60s\"", which, line, text);
		*tab = 0;
		if (feed.len == room) {
			room = room ? 2 * room : 64;
			feed.entries = grow(feed.entries, room * sizeof *feed.entries);
		}
		feed.entries[feed.len++] = (struct entry){text, tab + 1};
	}
	if (feed.len > 1)
		qsort(feed.entries, feed.len, sizeof *feed.entries, by_link);
	for (size_t i = 1; i < feed.len; i++)
		if (by_link(&feed.entries[i - 1], &feed.entries[i]) == 0)
			fail("%s: two entries have the link %.200s", which, feed.entries[i].link);
	return feed;
}

/* walk goes through both feeds by link, and prints the differences if it is to; it counts them. */
static void walk(struct feed old, struct feed new, int print, size_t count[3]) {
	size_t i = 0, j = 0;
	while (i < old.len || j < new.len) {
		struct entry *a = i < old.len ? &old.entries[i] : NULL, *b = j < new.len ? &new.entries[j] : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 : by_link(a, b);
		if (order > 0) {
			count[0]++, j++;
			if (print)
				printf("+ %s  %s\n", b->link, b->title);
		} else if (order < 0) {
			count[1]++, i++;
			if (print)
				printf("- %s  %s\n", a->link, a->title);
		} else {
			i++, j++;
			if (strcmp(a->title, b->title) == 0)
				continue;
			count[2]++;
			if (print)
				printf("~ %s  %s (was: %s)\n", b->link, b->title, a->title);
		}
	}
}

int main(void) {
	const char *input = json_member(json_blank(read_all()), "input");
	char *before = json_string(json_member(input, "old")), *now = json_string(json_member(input, "new"));
	if (before == NULL || now == NULL)
		fail("want an input with the strings \"old\" and \"new\", each line a link, a tab and a title");
	struct feed old = parse("old", before), new = parse("new", now);
	if (new.len == 0 && old.len > 0) {
		fputs("feeddiff: the new snapshot is empty: it was probably not fetched\n", stderr);
		return TRY_AGAIN;
	}
	size_t count[3] = {0};
	walk(old, new, 0, count);
	printf("%zu new, %zu gone, %zu changed\n", count[0], count[1], count[2]);
	walk(old, new, 1, count);
	return OK;
}
