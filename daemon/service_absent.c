/* SPDX-License-Identifier: MIT */
/* service_absent.c: a daemon without services, so that it links before service.c is there; that one takes this file's place. */
#include "service.h"
#include "status_render.h"

#include <errno.h>

int services_new(struct services **ret, struct stack *stack, const struct service_env *env)
{
	(void)stack;
	(void)env;
	*ret = NULL;
	return 0;
}
void services_free(struct services *services) { (void)services; }
int services_add(struct services *services, const struct service_conf *conf) { (void)services; (void)conf; return -EOPNOTSUPP; }
int services_del(struct services *services, const struct service_conf *conf) { (void)services; (void)conf; return -ENOENT; }
void services_wake(struct services *services, uint64_t cookie, uint32_t events) { (void)services; (void)cookie; (void)events; }
void services_page(struct services *services, uint64_t token, const char *text, size_t len) { (void)services; (void)token; (void)text; (void)len; }
void services_shutdown(struct services *services) { (void)services; }
void services_stats(const struct services *services, struct services_stats *ret) { (void)services; *ret = (struct services_stats){ .services = 0 }; }
ktime_t services_run(struct services *services, ktime_t now) { (void)services; (void)now; return KTIME_MAX; }
int service_check(const struct service_conf *conf) { (void)conf; return 0; }
const char *service_names(uint8_t proto) { (void)proto; return ""; }
char *status_render(enum service_page page, const struct status_data *data, size_t *ret_len) { (void)page; (void)data; *ret_len = 0; return NULL; }
const char *status_content_type(enum service_page page) { (void)page; return "text/plain"; }
