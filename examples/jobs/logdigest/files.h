/* files.h finds the logs of a folder, and knows how far each has been read. */
#ifndef FILES_H
#define FILES_H

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 8, HEAD = 256 };

/* A log, by its path below the folder, and how far it has been read: only whole lines count. Its head, the first bytes as far as
 * they have been read, tells whether the file is another one by now. */
struct file {
	char *path;
	uint64_t offset, lines;
	unsigned head;      /* how many bytes, at most HEAD */
	uint32_t head_hash; /* FNV-1a of them */
};

struct files {
	struct file *all; /* by path */
	size_t len, room;
};

void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void *need(void *p) {
	if (p == NULL)
		fail(1, "no memory; raise the job's memory");
	return p;
}

static void add(struct files *f, struct file file) {
	if (f->len == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		f->all = need(realloc(f->all, f->room * sizeof *f->all));
	}
	f->all[f->len++] = file;
}

static int by_path(const void *a, const void *b) {
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *find(const struct files *f, char *path) {
	struct file key = {.path = path};
	return f->len ? bsearch(&key, f->all, f->len, sizeof key, by_path) : NULL;
}

static char *join(const char *a, const char *between, const char *b) {
	size_t len = strlen(a) + strlen(between) + strlen(b) + 1;
	char *text = need(malloc(len));
	snprintf(text, len, "%s%s%s", a, between, b);
	return text;
}

/* is_log tells whether a name ends like a log's. One with control characters is none: it would spoil the table and the state. */
static int is_log(const char *name, const char *suffix) {
	size_t n = strlen(name), s = strlen(suffix);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return 0;
	return n > s && strcmp(name + n - s, suffix) == 0;
}

/* list adds the logs of a folder and of those in it. Links are passed over: what they lead to is there under its own name. */
static void list(struct files *found, const char *root, const char *below, const char *suffix, int depth) {
	char *folder = join(root, *below ? "/" : "", below);
	DIR *d = opendir(folder);
	if (d == NULL && depth == 0)
		fail(1, "open %s: %s; is a folder granted there?", folder, strerror(errno));
	if (d == NULL)
		warn("open %s: %s", folder, strerror(errno));
	free(folder);
	if (d == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *path = join(below, *below ? "/" : "", e->d_name);
		if (e->d_type == DT_REG && is_log(e->d_name, suffix)) {
			add(found, (struct file){.path = path});
			continue;
		}
		if (e->d_type == DT_DIR && depth < DEEPEST && is_log(e->d_name, ""))
			list(found, root, path, suffix, depth + 1);
		free(path);
	}
	closedir(d);
}

/* remembered reads the files as an earlier run has noted them; text is NULL before the first one. */
static struct files remembered(char *text) {
	struct files f = {0};
	while (text != NULL && *text != 0) {
		struct file file;
		file.offset = strtoull(text, &text, 10);
		file.lines = strtoull(text, &text, 10);
		file.head = (unsigned)strtoul(text, &text, 10);
		file.head_hash = (uint32_t)strtoul(text, &text, 16);
		char *end = strchr(text, '\n');
		if (*text != ' ' || end == NULL || file.head > HEAD)
			fail(1, "the state cannot be read at \"%.40s\": remove the job and add it again", text);
		*end = 0;
		file.path = text + 1;
		add(&f, file);
		text = end + 1;
	}
	return f;
}

/* noted is the text that remembered reads. */
static char *noted(const struct files *f) {
	size_t room = 1, len = 0;
	for (size_t i = 0; i < f->len; i++)
		room += strlen(f->all[i].path) + 64;
	char *text = need(malloc(room));
	text[0] = 0;
	for (size_t i = 0; i < f->len; i++) {
		const struct file *x = &f->all[i];
		len += (size_t)snprintf(text + len, room - len, "%llu %llu %u %x %s\n", (unsigned long long)x->offset,
		                        (unsigned long long)x->lines, x->head, (unsigned)x->head_hash, x->path);
	}
	return text;
}

static uint32_t hash(const char *bytes, size_t len) {
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)bytes[i]) * 16777619u;
	return h;
}

#endif
