/* SPDX-License-Identifier: MIT */
/* record.h: records of single things, as conf/control_proto.h has them; their members, and words for numbers. On the control thread. */
#ifndef DAEMON_RECORD_H
#define DAEMON_RECORD_H

#include "state.h"

#include <jansson.h>

/* NULL: no memory. */
json_t *record_link(const struct conf_state *st, const struct link_conf *link); /* without what workers count */
json_t *record_addr(const char *dev, const struct addr_conf *addr);
json_t *record_route(const char *dev, const struct route_conf *route, bool linkdown);
json_t *record_neigh(const char *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, uint8_t nud);

/* One member of a record. Want of memory shows when the record is written. */
void set_text(json_t *record, const char *key, const char *text);
void set_given(json_t *record, const char *key, const char *text); /* none when text is empty */
void set_num(json_t *record, const char *key, uint64_t n);
void set_bool(json_t *record, const char *key, bool v);
void set_addr(json_t *record, const char *key, const struct ipaddr *addr); /* none for no address */

/* Words as ip(8) writes them. */
const char *link_operstate(const struct conf_state *st, const struct link_conf *link); /* RFC 2863's */
const char *scope_name(uint8_t scope, char buf[ADDR_TEXT]);
const char *protocol_name(uint8_t protocol, char buf[ADDR_TEXT]);
const char *table_name(uint32_t table, char buf[ADDR_TEXT]);
const char *route_type_name(uint8_t type);

#endif
