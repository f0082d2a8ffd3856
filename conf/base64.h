/* SPDX-License-Identifier: MIT */
/* base64.h: bytes as one word of a line (RFC 4648, section 4). */
#ifndef CONF_BASE64_H
#define CONF_BASE64_H

#include <stddef.h>

/* Length of n bytes as text, without a terminating zero. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

void base64_encode(const void *bytes, size_t n, char *text /* BASE64_LEN(n) + 1 */);
/* The bytes of text, in a buffer that the caller frees. 0, -EINVAL, -ENOMEM. */
int  base64_decode(const char *text, unsigned char **ret, size_t *ret_len);

#endif
