/* SPDX-License-Identifier: MIT */
/* base64.c: see base64.h. Strict: no blanks, padded, and the bits that nothing stands for are zero, so that bytes have one text only. */
#include "base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t n, char *text)
{
	const unsigned char *p = bytes;

	for (; n; p += 3) {
		unsigned v = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);

		*text++ = letters[v >> 18];
		*text++ = letters[v >> 12 & 63];
		*text++ = n > 1 ? letters[v >> 6 & 63] : '=';
		*text++ = n > 2 ? letters[v & 63] : '=';
		n = n > 3 ? n - 3 : 0;
	}
	*text = '\0';
}

int base64_decode(const char *text, unsigned char **ret, size_t *ret_len)
{
	size_t len = strlen(text), pad = 0, n;
	signed char value[256];
	unsigned char *out, *o;

	memset(value, -1, sizeof(value));
	for (int i = 0; i < 64; i++)
		value[(unsigned char)letters[i]] = (signed char)i;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len % 4)
		return -EINVAL;
	n = len / 4 * 3 - pad;
	out = o = malloc(n + 3);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 4) {
		unsigned v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = i + k < len - pad ? value[(unsigned char)text[i + k]] : 0;

			if (d < 0)
				goto err_text;
			v = v << 6 | (unsigned)d;
		}
		if (i + 4 == len && pad && (v & (pad == 1 ? 0xffu : 0xffffu)))
			goto err_text;
		*o++ = (unsigned char)(v >> 16);
		*o++ = (unsigned char)(v >> 8);
		*o++ = (unsigned char)v;
	}
	*ret = out;
	*ret_len = n;
	return 0;

err_text:
	free(out);
	return -EINVAL;
}
