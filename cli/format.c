/* SPDX-License-Identifier: MIT */
/*
 * format.c: see format.h. The daemon's records are read with tolerance: a key that is missing is empty, so an older daemon still prints.
 */
#include "format.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *rec_str(const json_t *rec, const char *key)
{
	static char buf[8][32];
	static unsigned turn;
	const json_t *v = json_object_get(rec, key);

	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	if (!json_is_number(v))
		return "";
	turn = (turn + 1) % 8;
	if (json_is_integer(v))
		snprintf(buf[turn], sizeof(buf[turn]), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		snprintf(buf[turn], sizeof(buf[turn]), "%.0f", json_real_value(v));
	return buf[turn];
}

uint64_t rec_num(const json_t *rec, const char *key)
{
	const json_t *v = json_object_get(rec, key);
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;

	if (json_is_real(v) && json_real_value(v) > 0)
		return json_real_value(v) >= 0x1p64 ? UINT64_MAX : (uint64_t)json_real_value(v);
	return n > 0 ? (uint64_t)n : 0;
}

bool rec_has(const json_t *rec, const char *key)
{
	const json_t *v = json_object_get(rec, key);

	return v && !json_is_null(v) && !(json_is_string(v) && !*json_string_value(v));
}

bool rec_bool(const json_t *rec, const char *key)
{
	return json_is_true(json_object_get(rec, key));
}

const json_t *rec_obj(const json_t *rec, const char *key)
{
	const json_t *v = json_object_get(rec, key);

	return json_is_object(v) ? v : NULL;
}

void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

void put_opt(FILE *out, const json_t *rec, const char *keyword, const char *key)
{
	if (!rec_has(rec, key))
		return;
	fprintf(out, "%s%s", *keyword ? " " : "", keyword);
	fputc(' ', out);
	put_text(out, rec_str(rec, key));
}

void put_flags(FILE *out, const json_t *list, const char *open, const char *close)
{
	size_t i;
	json_t *v;

	fputs(open, out);
	json_array_foreach(list, i, v) {
		if (i)
			fputc(',', out);
		put_text(out, json_is_string(v) ? json_string_value(v) : "?");
	}
	fputs(close, out);
}

const char *units(uint64_t v, bool human, char *buf)
{
	static const char letters[] = " KMGTPE";
	double x = (double)v;
	unsigned i = 0;

	if (!human || v < 1000) {
		snprintf(buf, 24, "%" PRIu64, v);
		return buf;
	}
	while (x >= 999.5 && i < sizeof(letters) - 2) {
		x /= 1000;
		i++;
	}
	snprintf(buf, 24, "%.*f%c", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, letters[i]);
	return buf;
}

const char *duration(uint64_t ms, char *buf)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, 24, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(buf, 24, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(buf, 24, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 24, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 24, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

const char *bitrate(double bps, char *buf)
{
	static const char *const names[] = { "bps", "Kbps", "Mbps", "Gbps", "Tbps" };
	unsigned i = 0;

	while (bps >= 1000 && i < 4) {
		bps /= 1000;
		i++;
	}
	snprintf(buf, 24, "%.3g%s", bps, names[i]);
	return buf;
}

/* ---- tables --------------------------------------------------------------------------------------------------------- */

void table_init(struct table *t, const char *align)
{
	memset(t, 0, sizeof(*t));
	t->align = align;
	t->ncols = (unsigned)strlen(align);
}

void table_row(struct table *t, const char *const *cells)
{
	if (t->nrows == t->size) {
		unsigned size = t->size ? t->size * 2 : 32;
		char **p = reallocarray(t->cells, (size_t)size * t->ncols, sizeof(*p));

		if (!p) {
			t->nomem = true;
			return;
		}
		t->cells = p;
		t->size = size;
	}
	for (unsigned i = 0; i < t->ncols; i++) {
		char *s = strdup(cells[i] ? cells[i] : "");

		if (!s)
			t->nomem = true;
		t->cells[(size_t)t->nrows * t->ncols + i] = s;
	}
	t->nrows++;
}

static const char *cell(const struct table *t, unsigned row, unsigned col)
{
	const char *s = t->cells[(size_t)row * t->ncols + col];

	return s ? s : "?";
}

void table_print_rows(const struct table *t, FILE *out, unsigned first, unsigned last)
{
	unsigned width[32] = { 0 };

	for (unsigned r = 0; r < t->nrows; r++)
		for (unsigned c = 0; c < t->ncols && c < 32; c++)
			if (strlen(cell(t, r, c)) > width[c])
				width[c] = (unsigned)strlen(cell(t, r, c));
	for (unsigned r = first; r < last && r < t->nrows; r++) {
		unsigned end = t->ncols; /* no blanks at the end of a line */

		while (end && !*cell(t, r, end - 1))
			end--;
		for (unsigned c = 0; c < end; c++) {
			const char *s = cell(t, r, c);
			int pad = (int)(width[c] - strlen(s));

			fprintf(out, "%s%*s", c ? " " : "", t->align[c] == '>' ? pad : 0, "");
			put_text(out, s);
			fprintf(out, "%*s", t->align[c] == '>' || c + 1 == end ? 0 : pad, "");
		}
		fputc('\n', out);
	}
	if (t->nomem && last >= t->nrows)
		fputs("(out of memory: the rest is missing)\n", out);
}

void table_print(struct table *t, FILE *out)
{
	table_print_rows(t, out, 0, t->nrows);
	table_free(t);
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < (size_t)t->nrows * t->ncols; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->nrows = t->size = 0;
}
