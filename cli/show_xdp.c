/* SPDX-License-Identifier: MIT */
/* show_xdp.c: XDP programs and their maps. */
#include "format.h"
#include "show.h"
#include <string.h>

static void put_count(const struct show *s, const json_t *list, const char *what, const char *key, bool always)
{
	char num[24];

	if (always || rec_num(list, key))
		fprintf(s->out, " %s %s", what, units(rec_num(list, key), s->human, num));
}

static void show_program(const struct show *s, const json_t *r)
{
	const json_t *actions = rec_obj(r, "actions"), *faults = rec_obj(r, "faults"), *maps = json_object_get(r, "maps"), *map;
	char num[24];
	size_t i;

	put_text(s->out, rec_str(r, "dev"));
	fputs(": ", s->out);
	put_text(s->out, rec_str(r, "program"));
	fputs(" from ", s->out);
	put_text(s->out, rec_str(r, "path"));
	put_opt(s->out, r, "section", "section");
	fprintf(s->out, ", %s instructions, %s\n   ", rec_str(r, "instructions"), rec_str(r, "mode"));
	put_count(s, actions, "pass", "pass", true);
	put_count(s, actions, "drop", "drop", true);
	put_count(s, actions, "tx", "tx", true);
	put_count(s, actions, "redirect", "redirect", true);
	put_count(s, actions, "aborted", "aborted", true);
	put_count(s, actions, "tx-errors", "tx_errors", false);
	put_count(s, actions, "redirect-errors", "redirect_errors", false);
	fputc('\n', s->out);
	if (json_array_size(maps)) {
		fputs("    maps:", s->out);
		json_array_foreach(maps, i, map) {
			fputc(' ', s->out);
			put_text(s->out, json_string_value(map) ? json_string_value(map) : "");
		}
		fputc('\n', s->out);
	}
	if (rec_num(faults, "count")) {
		fprintf(s->out, "    faults: %s, the last: ", units(rec_num(faults, "count"), s->human, num));
		put_text(s->out, rec_str(faults, "last"));
		fputc('\n', s->out);
	}
}

void show_xdp(const struct show *s, const json_t *records)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		show_program(s, rec);
}

static void put_value(FILE *out, const json_t *rec, const char *hex, const char *number)
{
	if (rec_has(rec, number))
		fputs(rec_str(rec, number), out);
	else
		fprintf(out, "hex=%s", rec_str(rec, hex));
}

/* What a type made of bytes: members by name, lists in brackets. */
static void put_typed(FILE *out, const json_t *v)
{
	const char *name;
	json_t *one;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		fputs("{ ", out);
		json_object_foreach((json_t *)(uintptr_t)v, name, one) {
			put_text(out, name);
			fputc(' ', out);
			put_typed(out, one);
			fputc(' ', out);
		}
		fputc('}', out);
		break;
	case JSON_ARRAY:
		fputc('[', out);
		json_array_foreach(v, i, one) {
			fputs(i ? " " : "", out);
			put_typed(out, one);
		}
		fputc(']', out);
		break;
	case JSON_STRING:
		put_text(out, json_string_length(v) ? json_string_value(v) : "\"\"");
		break;
	case JSON_INTEGER:
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		fprintf(out, "%g", json_real_value(v));
		break;
	default:
		fputs(json_is_true(v) ? "true" : json_is_false(v) ? "false" : "?", out);
	}
}

static void show_element(const struct show *s, const json_t *r)
{
	const json_t *typed = rec_obj(r, "formatted"), *key = json_object_get(typed, "key"), *value = json_object_get(typed, "value"), *values = json_object_get(typed, "values");
	json_t *one;
	size_t i;

	fputs("key ", s->out);
	if (key)
		put_typed(s->out, key);
	else
		put_value(s->out, r, "key", "key_number");
	if (!rec_has(r, "cpus")) {
		fputs(" value ", s->out);
		if (value)
			put_typed(s->out, value);
		else
			put_value(s->out, r, "value", "value_number");
	}
	json_array_foreach(json_object_get(r, "cpus"), i, one) {
		fprintf(s->out, " cpu %zu value ", i);
		value = json_object_get(json_array_get(values, i), "value");
		if (value)
			put_typed(s->out, value);
		else
			put_value(s->out, one, "value", "value_number");
	}
	fputc('\n', s->out);
}

void show_xdp_map(const struct show *s, const json_t *records)
{
	const struct cmd_arg *what = cmd_arg(s->cmd, "what");
	struct table t;
	json_t *rec;
	size_t i;

	if (what && what->num == XDP_MAP_DUMP) {
		json_array_foreach(records, i, rec)
			show_element(s, rec);
		return;
	}
	if (!what || what->num != XDP_MAP_SHOW || !json_array_size(records))
		return;
	table_init(&t, "<<<>>>>");
	table_row(&t, (const char *const[]){ "DEV", "NAME", "TYPE", "KEY", "VALUE", "ENTRIES", "MAX" });
	json_array_foreach(records, i, rec) {
		char num[4][24];

		table_row(&t, (const char *const[]){ rec_str(rec, "dev"), rec_str(rec, "name"), rec_str(rec, "type"), units(rec_num(rec, "key_size"), false, num[0]),
						     units(rec_num(rec, "value_size"), false, num[1]), units(rec_num(rec, "entries"), s->human, num[2]),
						     units(rec_num(rec, "max_entries"), s->human, num[3]) });
	}
	table_print(&t, s->out);
}
