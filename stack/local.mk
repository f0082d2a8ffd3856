# libnetstack: everything that decides; calls no operating system (tests/purity).
netstackincludedir = $(includedir)/netstack
netstackinclude_HEADERS =
libnetstack_la_SOURCES =
libnetstack_la_CPPFLAGS = $(NS_CPPFLAGS)
# What public headers declare is exported; the rest of the shared library is private.
libnetstack_la_LDFLAGS = $(NS_LDFLAGS) -version-info 0:0:0 \
	-export-symbols-regex '^(alloc_skb|build_skb|kfree_skb|consume_skb|skb_.*|netcfg_.*|net_snapshot_version|net_mib_.*|stack_.*|ns_.*|netstack_version)$$'

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
libnetstack_la_SOURCES += %reldir%/inet_hash.c
libnetstack_la_SOURCES += %reldir%/inet_hash.h
libnetstack_la_SOURCES += %reldir%/inet_port.c
libnetstack_la_SOURCES += %reldir%/ip.h
libnetstack_la_SOURCES += %reldir%/list.h
libnetstack_la_SOURCES += %reldir%/loopback.c
libnetstack_la_SOURCES += %reldir%/mib.c
libnetstack_la_SOURCES += %reldir%/napi.c
libnetstack_la_SOURCES += %reldir%/neigh.h
libnetstack_la_SOURCES += %reldir%/qdisc.c
libnetstack_la_SOURCES += %reldir%/random.c
libnetstack_la_SOURCES += %reldir%/random.h
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
libnetstack_la_SOURCES += %reldir%/stack_priv.h
libnetstack_la_SOURCES += %reldir%/sysctl.h
libnetstack_la_SOURCES += %reldir%/timer.c
libnetstack_la_SOURCES += %reldir%/timer.h
libnetstack_la_SOURCES += %reldir%/version.c
libnetstack_la_SOURCES += %reldir%/wire/wire.h
