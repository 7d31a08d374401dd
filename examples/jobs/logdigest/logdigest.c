/* logdigest is a job: it sums up what the logs of a folder have got since its last run. */
#include <stdarg.h>
#include <strings.h>

#include "files.h"
#include "host.h"

enum { FAILED = 1, BAD_CONFIGURATION = 78, LONGEST = 512, MOST_STATE = 256 << 10 };

static const char *const folder = "/logs", *const state = "files";

enum level { NONE = -1, OTHER, WARNING, ERROR };

/* What a run tells: how many error lines are to be shown, and how many there were. */
static unsigned long show = 10, errors;

/* The lines of errors, which stand below the table. */
static char *shown;
static size_t shown_len;

static void say(const char *format, va_list args) {
	fputs("logdigest: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void warn(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void fail(int code, const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(format, args);
	exit(code);
}

/* word_level is the level that a word stands for, as in ERROR, [error], error: or level=error; NONE if it is no level's name. */
static enum level word_level(const char *word, size_t len) {
	static const struct {
		const char *name;
		enum level level;
	} names[] = {{"error", ERROR},  {"err", ERROR},       {"fatal", ERROR},  {"panic", ERROR}, {"critical", ERROR}, {"emerg", ERROR},
	             {"warn", WARNING}, {"warning", WARNING}, {"notice", OTHER}, {"info", OTHER},  {"debug", OTHER},    {"trace", OTHER}};
	if (len > 6 && strncmp(word, "level=", 6) == 0)
		word += 6, len -= 6;
	while (len > 0 && strchr("[](){}<>:\"'", *word) != NULL)
		word++, len--;
	while (len > 0 && strchr("[](){}<>:,\"'", word[len - 1]) != NULL)
		len--;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].name) == len && strncasecmp(names[i].name, word, len) == 0)
			return names[i].level;
	return NONE;
}

/* line_level is the level among a line's first five words. */
static enum level line_level(const char *line) {
	for (int words = 0; words < 5; words++) {
		line += strspn(line, " \t");
		size_t len = strcspn(line, " \t");
		enum level level = word_level(line, len);
		if (level != NONE)
			return level;
		if (len == 0)
			break;
		line += len;
	}
	return OTHER;
}

/* printable takes what would steer a terminal out of a text. */
static char *printable(char *text) {
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return text;
}

static void keep_error(const struct file *file, const char *line) {
	if (errors++ >= show)
		return;
	size_t more = strlen(file->path) + strlen(line) + 32;
	shown = need(realloc(shown, shown_len + more));
	shown_len += (size_t)snprintf(shown + shown_len, more, "%s:%llu: %s\n", file->path, (unsigned long long)file->lines, line);
}

/* same tells whether an open file is still the one that was read before. */
static int same(FILE *in, const struct file *before) {
	char head[HEAD];
	return fseeko(in, 0, SEEK_END) == 0 && ftello(in) >= (off_t)before->offset && fseeko(in, 0, SEEK_SET) == 0 &&
	       fread(head, 1, before->head, in) == before->head && hash(head, before->head) == before->head_hash;
}

/* read_lines reads the whole lines from the file's offset on and counts those of each level. What has no end yet is left to the
 * next run. */
static void read_lines(FILE *in, struct file *file, unsigned long count[3]) {
	char line[LONGEST + 1], block[1 << 14];
	size_t len = 0, n;
	uint64_t at = file->offset;
	while ((n = fread(block, 1, sizeof block, in)) > 0)
		for (size_t i = 0; i < n; i++) {
			at++;
			if (block[i] != '\n') {
				if (len < LONGEST)
					line[len++] = block[i]; /* of a longer one the beginning counts */
				continue;
			}
			line[len] = 0;
			len = 0;
			file->offset = at;
			file->lines++;
			enum level level = line_level(printable(line));
			count[level]++;
			if (level == ERROR)
				keep_error(file, line);
		}
	if (ferror(in))
		warn("read %s: %s", file->path, strerror(errno));
}

/* digest reads what a file has got; it reports whether that was anything. */
static int digest(struct file *file, const struct file *before) {
	char *path = join(folder, "/", file->path), head[HEAD];
	FILE *in = fopen(path, "rb");
	if (in == NULL)
		warn("open %s: %s", path, strerror(errno));
	free(path);
	if (before != NULL && (in == NULL || same(in, before))) {
		path = file->path;
		*file = *before;
		file->path = path;
	}
	if (in == NULL)
		return 0;
	unsigned long count[3] = {0};
	uint64_t lines = file->lines;
	if (fseeko(in, (off_t)file->offset, SEEK_SET) == 0)
		read_lines(in, file, count);
	clearerr(in);
	file->head = file->offset < HEAD ? (unsigned)file->offset : HEAD;
	if (fseeko(in, 0, SEEK_SET) != 0 || fread(head, 1, file->head, in) != file->head)
		file->head = 0; /* it shrinks under the hand: the next run sees by its size that it is another one */
	file->head_hash = hash(head, file->head);
	fclose(in);
	if (file->lines > lines)
		printf("%8llu %8lu %8lu  %s\n", (unsigned long long)(file->lines - lines), count[ERROR], count[WARNING], file->path);
	return file->lines > lines;
}

int main(void) {
	char *number = host_config("show"), *suffix = host_config("suffix"), *end = number;
	if (number != NULL)
		show = strtoul(number, &end, 10);
	if (number != NULL && (end == number || *end != 0))
		fail(BAD_CONFIGURATION, "config: show = \"%s\": want a number, such as \"10\"", number);
	struct files old = remembered(host_var(state)), now = {0};
	list(&now, folder, "", suffix != NULL ? suffix : ".log", 0);
	if (now.len > 1)
		qsort(now.all, now.len, sizeof *now.all, by_path);
	puts("   LINES   ERRORS WARNINGS  FILE");
	size_t changed = 0;
	for (size_t i = 0; i < now.len; i++)
		changed += (size_t)digest(&now.all[i], find(&old, now.all[i].path));
	printf("new lines in %zu of %zu files\n", changed, now.len);
	if (shown_len > 0)
		printf("\n%s", shown);
	if (errors > show)
		printf("and %lu more\n", errors - show);
	char *text = noted(&now);
	if (strlen(text) > MOST_STATE)
		fail(FAILED, "%zu files are too many to remember; grant a folder with fewer, or set suffix", now.len);
	host_set_var(state, text);
	return 0;
}
