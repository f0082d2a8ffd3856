/* SPDX-License-Identifier: MIT */
/* state_priv.h: a configuration between state.c, which changes it, and state_command.c and state_device.c, which know the words: these the ones about devices that
 * stand on no TAP, those all others. */
#ifndef DAEMON_STATE_PRIV_H
#define DAEMON_STATE_PRIV_H

#include "state.h"

/* netcfg's reason, or errno's text when it gave none. Returns err. */
int refused(struct conf_error *e, int err, const struct netcfg_err *why);
/* Says which word is to blame. Returns e->err. */
int blame(struct conf_error *e, const struct cmd *cmd, const char *key);
/* Beside a link that was made in netcfg. 0 or -ENOMEM; with room made before, it does not fail. */
int conf_links_room(struct conf_state *st, struct conf_error *e);
void conf_links_note(struct conf_state *st, int ifindex, const struct conf_link *extra);
int conf_seed(uint64_t *ret, struct conf_error *e);

/* state_command.c: words of a command. What is not given leaves *ret as it is. */
const struct link_conf *link_of(const struct conf_state *st, const struct cmd *cmd, const char *key, struct conf_error *e); /* NULL: not given, or e says why */
void take_u32(const struct cmd *cmd, const char *key, uint32_t *ret);
int take_name(const struct cmd *cmd, const char *key, char ret[NS_IFNAMSIZ], const char *what, struct conf_error *e);

/* state_device.c. "link add" of any type but a TAP; the words of "link set" that are about such devices, into link; stations of bridges. */
int device_add(struct conf_state *st, const struct cmd *cmd, struct conf_error *e);
int device_words(const struct cmd *cmd, enum link_type type, struct conf_error *e); /* a word that is of other kinds of links is refused */
int device_set(struct conf_state *st, const struct cmd *cmd, struct link_conf *link, struct conf_error *e);
int device_fdb(struct conf_state *st, const struct cmd *cmd, struct conf_error *e);

#endif
