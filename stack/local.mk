# libnetstack: everything that decides; calls no operating system (tests/purity).
netstackincludedir = $(includedir)/netstack
netstackinclude_HEADERS =
libnetstack_la_SOURCES =
libnetstack_la_CPPFLAGS = $(NS_CPPFLAGS)
# What public headers declare is exported; the rest of the shared library is private.
libnetstack_la_LDFLAGS = $(NS_LDFLAGS) -version-info 0:0:0 -export-symbols libnetstack.sym
libnetstack_la_DEPENDENCIES = libnetstack.sym
CLEANFILES += libnetstack.sym
libnetstack.sym: $(netstackinclude_HEADERS)
	$(AM_V_GEN)sed -e '/^static inline/d' -e 's|/\*.*\*/||' -e '/^ \*/d' $^ | \
		$(GREP) -oE '\b(alloc_skb|build_skb|kfree_skb|consume_skb|(skb|netcfg|net|ns|stack|netstack)_[a-z0-9_]+)\(' | tr -d '(' | sort -u >$@.tmp && mv $@.tmp $@

netstackinclude_HEADERS += %reldir%/include/netstack/drop.h
netstackinclude_HEADERS += %reldir%/include/netstack/mib.h
netstackinclude_HEADERS += %reldir%/include/netstack/netcfg.h
netstackinclude_HEADERS += %reldir%/include/netstack/skbuff.h
netstackinclude_HEADERS += %reldir%/include/netstack/socket.h
netstackinclude_HEADERS += %reldir%/include/netstack/stack.h
netstackinclude_HEADERS += %reldir%/include/netstack/types.h

libnetstack_la_SOURCES += %reldir%/bug.h
libnetstack_la_SOURCES += %reldir%/checksum.c
libnetstack_la_SOURCES += %reldir%/checksum.h
libnetstack_la_SOURCES += %reldir%/dev.c
libnetstack_la_SOURCES += %reldir%/dev.h
libnetstack_la_SOURCES += %reldir%/dev_xmit.c
libnetstack_la_SOURCES += %reldir%/drop.c
libnetstack_la_SOURCES += %reldir%/eth.c
libnetstack_la_SOURCES += %reldir%/gso.c
libnetstack_la_SOURCES += %reldir%/dump.c
libnetstack_la_SOURCES += %reldir%/epoll.c
libnetstack_la_SOURCES += %reldir%/inet_hash.c
libnetstack_la_SOURCES += %reldir%/inet_hash.h
libnetstack_la_SOURCES += %reldir%/inet_port.c
libnetstack_la_SOURCES += %reldir%/fib.c
libnetstack_la_SOURCES += %reldir%/fib.h
libnetstack_la_SOURCES += %reldir%/fib_info.c
libnetstack_la_SOURCES += %reldir%/fib_mem.c
libnetstack_la_SOURCES += %reldir%/fib_trie.c
libnetstack_la_SOURCES += %reldir%/ip.h
libnetstack_la_SOURCES += %reldir%/ip_sockglue.c
libnetstack_la_SOURCES += %reldir%/list.h
libnetstack_la_SOURCES += %reldir%/loopback.c
libnetstack_la_SOURCES += %reldir%/mib.c
libnetstack_la_SOURCES += %reldir%/napi.c
libnetstack_la_SOURCES += %reldir%/neigh.h
libnetstack_la_SOURCES += %reldir%/qdisc.c
libnetstack_la_SOURCES += %reldir%/random.c
libnetstack_la_SOURCES += %reldir%/netcfg.c
libnetstack_la_SOURCES += %reldir%/netcfg_addr.c
libnetstack_la_SOURCES += %reldir%/netcfg_link.c
libnetstack_la_SOURCES += %reldir%/netcfg_priv.h
libnetstack_la_SOURCES += %reldir%/netcfg_route.c
libnetstack_la_SOURCES += %reldir%/netcfg_sysctl.c
libnetstack_la_SOURCES += %reldir%/random.h
libnetstack_la_SOURCES += %reldir%/raw.c
libnetstack_la_SOURCES += %reldir%/route.h
libnetstack_la_SOURCES += %reldir%/skb_data.c
libnetstack_la_SOURCES += %reldir%/skbuff.c
libnetstack_la_SOURCES += %reldir%/snapshot.h
libnetstack_la_SOURCES += %reldir%/sock.c
libnetstack_la_SOURCES += %reldir%/sock.h
libnetstack_la_SOURCES += %reldir%/sock_priv.h
libnetstack_la_SOURCES += %reldir%/socket.c
libnetstack_la_SOURCES += %reldir%/softnet.c
libnetstack_la_SOURCES += %reldir%/stack.c
libnetstack_la_SOURCES += %reldir%/sockopt.c
libnetstack_la_SOURCES += %reldir%/stack_priv.h
libnetstack_la_SOURCES += %reldir%/sysctl.c
libnetstack_la_SOURCES += %reldir%/sysctl.h
libnetstack_la_SOURCES += %reldir%/timer.c
libnetstack_la_SOURCES += %reldir%/sysctl_table.h
libnetstack_la_SOURCES += %reldir%/timer.h
libnetstack_la_SOURCES += %reldir%/udp.c
libnetstack_la_SOURCES += %reldir%/version.c
libnetstack_la_SOURCES += %reldir%/wire/wire.h
