// A guest that computes: its first argument chooses what, the second how much. It prints a number that depends on all of the work.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 42;

// xorshift: the same numbers each time.
static uint64_t next(void) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static uint32_t k[64];

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha_block(uint32_t h[8], const uint8_t *p) {
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + a + w[i - 7] + b;
	}
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t e = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25), a = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
		uint32_t t1 = v[7] + e + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32_t t2 = a + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t1, v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++) h[i] += v[i];
}

// The constants are the first bits of the fractions of the cube roots of the primes.
static uint64_t hash(int n) {
	static uint8_t data[4096];
	for (int p = 2, i = 0; i < 64; p++) {
		int prime = 1;
		for (int d = 2; d * d <= p; d++) prime &= p % d != 0;
		if (prime) k[i++] = (uint32_t)(uint64_t)((cbrt(p) - floor(cbrt(p))) * 4294967296.0);
	}
	uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	for (int i = 0; i < n; i++) {
		memcpy(data + i % 64, h, sizeof h);
		for (int at = 0; at < (int)sizeof data; at += 64) sha_block(h, data + at);
	}
	return (uint64_t)h[0] << 32 | h[7];
}

struct body { double x, y, z, vx, vy, vz, mass; };

static uint64_t nbody(int n) {
	struct body all[5] = {
		{.mass = 39.5},
		{4.84, -1.16, -0.10, 0.61, 2.81, -0.02, 0.038},
		{8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
		{12.89, -15.11, -0.22, 1.08, 0.87, -0.01, 0.0017},
		{15.38, -25.92, 0.18, 0.98, 0.59, -0.03, 0.002},
	};
	while (n-- > 0) {
		for (int i = 0; i < 5; i++) {
			struct body *a = &all[i];
			for (int j = i + 1; j < 5; j++) {
				struct body *b = &all[j];
				double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z, d = dx * dx + dy * dy + dz * dz;
				double f = 0.001 / (d * sqrt(d));
				a->vx -= dx * b->mass * f, a->vy -= dy * b->mass * f, a->vz -= dz * b->mass * f;
				b->vx += dx * a->mass * f, b->vy += dy * a->mass * f, b->vz += dz * a->mass * f;
			}
		}
		for (int i = 0; i < 5; i++) {
			struct body *b = &all[i];
			b->x += 0.001 * b->vx, b->y += 0.001 * b->vy, b->z += 0.001 * b->vz;
		}
	}
	uint64_t bits;
	memcpy(&bits, &all[0].x, sizeof bits);
	return bits;
}

__attribute__((noinline)) static uint64_t fib(int n) { return n < 2 ? (uint64_t)n : fib(n - 1) + fib(n - 2); }

static uint64_t sieve(int n) {
	uint8_t *composite = calloc(n, 1);
	uint64_t primes = 0;
	for (int i = 2; i < n; i++) {
		if (composite[i]) continue;
		primes += i;
		for (int64_t j = (int64_t)i * i; j < n; j += i) composite[j] = 1;
	}
	return primes;
}

static int compare(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static uint64_t sorted(int n) {
	uint64_t *list = malloc(n * sizeof *list), sum = 0;
	for (int i = 0; i < n; i++) list[i] = next();
	qsort(list, n, sizeof *list, compare);
	for (int i = 0; i < n; i++) sum += i * list[i];
	return sum;
}

// A value of a JSON text: a number, a string, or a list or object with its members.
struct value {
	char kind; // 'n', 's', '[' or '{'
	double number;
	char *text, *name;
	struct value *first, *next;
};

static const size_t size = 1 << 20;
static char *arena;
static size_t used;

static void *get(size_t n) {
	used = (used + 7) & ~(size_t)7;
	if (used + n > size) exit(3);
	used += n;
	return memset(arena + used - n, 0, n);
}

static char *parse_text(const char **p) {
	const char *begin = ++*p;
	while (**p != '"') *p += 1 + (**p == '\\');
	char *text = get(*p - begin + 1), *to = text;
	for (const char *at = begin; at < *p; at++) *to++ = *at == '\\' ? *++at : *at;
	++*p;
	return text;
}

static struct value *parse(const char **p) {
	struct value *v = get(sizeof *v), **end = &v->first;
	v->kind = **p;
	switch (**p) {
	case '"':
		v->text = parse_text(p), v->kind = 's';
		break;
	case '{':
	case '[':
		for (++*p; **p != '}' && **p != ']'; end = &(*end)->next) {
			char *name = 0;
			if (**p == ',') ++*p;
			if (v->kind == '{') name = parse_text(p), ++*p;
			*end = parse(p), (*end)->name = name;
		}
		++*p;
		break;
	default:
		v->kind = 'n';
		for (; **p >= '0' && **p <= '9'; ++*p) v->number = v->number * 10 + (**p - '0');
	}
	return v;
}

static char *print_text(char *to, const char *text) {
	*to++ = '"';
	for (; *text; *to++ = *text++)
		if (*text == '"' || *text == '\\') *to++ = '\\';
	*to++ = '"';
	return to;
}

static char *print(char *to, const struct value *v) {
	char digits[24];
	int n = 0;
	switch (v->kind) {
	case 's':
		return print_text(to, v->text);
	case 'n':
		for (uint64_t left = (uint64_t)v->number; n == 0 || left; left /= 10) digits[n++] = '0' + left % 10;
		while (n) *to++ = digits[--n];
		return to;
	}
	*to++ = v->kind;
	for (const struct value *m = v->first; m; m = m->next) {
		if (m != v->first) *to++ = ',';
		if (m->name) to = print_text(to, m->name), *to++ = ':';
		to = print(to, m);
	}
	*to++ = v->kind + 2;
	return to;
}

static uint64_t json(int n) {
	char *text = malloc(64 << 10), *to = text;
	arena = malloc(size);
	*to++ = '[';
	for (int i = 0; i < 50; i++)
		to += sprintf(to, "%s{\"id\":%d,\"name\":\"item \\\"%d\\\"\",\"tags\":[\"a\",\"b%d\"],\"price\":{\"eur\":%d,\"usd\":%d}}",
			i ? "," : "", (int)(next() % 100000), i, i, (int)(next() % 1000), i);
	strcpy(to, "]");
	uint64_t sum = 0;
	while (n-- > 0) {
		const char *p = text;
		used = 0;
		struct value *v = parse(&p);
		*print(text, v) = 0;
		sum += strlen(text) + (uint64_t)v->first->first->number;
	}
	return sum;
}

struct slot { char key[24]; uint64_t count; };

static uint64_t count(int n) {
	const uint32_t size = 1 << 16;
	struct slot *slots = calloc(size, sizeof *slots);
	uint64_t sum = 0;
	for (int i = 0; i < n; i++) {
		char key[24] = "key ";
		int len = 4;
		for (uint64_t v = next() % 20011; v; v /= 10) key[len++] = '0' + v % 10;
		uint32_t h = 2166136261u;
		for (int j = 0; j < len; j++) h = (h ^ (uint8_t)key[j]) * 16777619u;
		while (slots[h %= size].key[0] && strcmp(slots[h].key, key)) h++;
		if (!slots[h].key[0]) strcpy(slots[h].key, key);
		slots[h].count += i;
	}
	for (uint32_t h = 0; h < size; h++) sum += strlen(slots[h].key) * slots[h].count;
	return sum;
}

int main(int argc, char **argv) {
	if (argc < 3) return 0; // it only starts
	const struct { const char *name; uint64_t (*work)(int); } all[] = {
		{"sha256", hash}, {"nbody", nbody}, {"sieve", sieve}, {"sort", sorted}, {"json", json}, {"map", count},
	};
	int n = atoi(argv[2]);
	if (!strcmp(argv[1], "fib")) return printf("%llu\n", (unsigned long long)fib(n)) < 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name)) return printf("%llu\n", (unsigned long long)all[i].work(n)) < 0;
	return 2;
}
