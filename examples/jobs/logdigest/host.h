/* host.h has the host's calls that a job needs for its config and its state. Texts are blocks of memory that the host owns, each
 * known by its offset; 0 is no block. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOST(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
HOST(alloc) uint64_t host_alloc(uint64_t bytes);
HOST(free) void host_free(uint64_t block);
HOST(length) uint64_t host_length(uint64_t block);
HOST(load_u8) uint32_t host_load(uint64_t at);
HOST(store_u8) void host_store(uint64_t at, uint32_t byte);
HOST(config_get) uint64_t host_config_get(uint64_t key);
HOST(var_get) uint64_t host_var_get(uint64_t key);
HOST(var_set) void host_var_set(uint64_t key, uint64_t value);
#undef HOST

/* host_give makes a block with these bytes. It traps where there is no memory for them. */
static uint64_t host_give(const char *text, size_t len) {
	uint64_t block = len > 0 ? host_alloc(len) : 0;
	if (len > 0 && block == 0)
		abort();
	for (size_t i = 0; i < len; i++)
		host_store(block + i, (unsigned char)text[i]);
	return block;
}

/* host_take is the text of a block with a NUL after it, to be freed, and frees the block; NULL if there is none, or no memory. */
static char *host_take(uint64_t block) {
	if (block == 0)
		return NULL;
	size_t len = (size_t)host_length(block);
	char *text = malloc(len + 1);
	if (text != NULL) {
		for (size_t i = 0; i < len; i++)
			text[i] = (char)host_load(block + i);
		text[len] = 0;
	}
	host_free(block);
	return text;
}

/* host_config is a value of the job's config; NULL if there is none. */
static char *host_config(const char *key) {
	uint64_t block = host_give(key, strlen(key));
	char *value = host_take(host_config_get(block));
	host_free(block); /* which the calls of the state do themselves */
	return value;
}

/* host_var is a value of the job's state; NULL if there is none. */
static char *host_var(const char *key) { return host_take(host_var_get(host_give(key, strlen(key)))); }

/* host_set_var writes a value of the state. It is kept if the run ends with exit code 0. */
static void host_set_var(const char *key, const char *value) {
	host_var_set(host_give(key, strlen(key)), host_give(value, strlen(value)));
}

#endif
