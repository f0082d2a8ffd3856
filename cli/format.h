/* SPDX-License-Identifier: MIT */
/*
 * format.h: reading records and printing them: getters that never fail, tables whose columns fit, human units.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

const char *rec_str(const json_t *rec, const char *key); /* "" when missing; a number or bool too, as text in one of a few buffers that take turns */
uint64_t    rec_num(const json_t *rec, const char *key); /* 0 when missing or negative */
bool        rec_has(const json_t *rec, const char *key);
bool        rec_bool(const json_t *rec, const char *key);
const json_t *rec_obj(const json_t *rec, const char *key); /* NULL when missing */

/* Prints text with bytes that a terminal could obey made harmless. */
void put_text(FILE *out, const char *text);
/* " keyword value" when the record has key. */
void put_opt(FILE *out, const json_t *rec, const char *keyword, const char *key);
void put_flags(FILE *out, const json_t *list, const char *open, const char *close);

/* 1234567 as "1.23M" when human, else in full; buf holds at least 24 bytes and is returned. */
const char *units(uint64_t v, bool human, char *buf);
const char *duration(uint64_t ms, char *buf); /* "1d 2h 3m", "4.2s", at most 24 bytes */
const char *bitrate(double bps, char *buf); /* "12.3Mbps" */

/* A table: rows of cells; '<' in align means left, '>' right, one for each column. The last column is not padded. */
struct table {
	const char *align;
	unsigned    ncols, nrows, size;
	char      **cells;
	bool        nomem;
};
void table_init(struct table *t, const char *align);
void table_row(struct table *t, const char *const *cells);
void table_print(struct table *t, FILE *out); /* and empties it */
/* Prints only the rows first to last (exclusive), with the widths of all. */
void table_print_rows(const struct table *t, FILE *out, unsigned first, unsigned last);
void table_free(struct table *t);

#endif
