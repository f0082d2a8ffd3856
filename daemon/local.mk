# netstackd: owns descriptors, clock, threads and privileges; decides nothing about a packet. All but main.c is libdaemon.a, which unit tests link too.
DAEMON_CFLAGS = $(LIBEVENT_CFLAGS) $(LIBNL_CFLAGS) $(LIBCAP_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(LIBSECCOMP_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) \
	$(LIBURING_CFLAGS)
DAEMON_LIBS = $(LIBEVENT_LIBS) $(LIBNL_LIBS) $(LIBCAP_LIBS) $(LIBSYSTEMD_LIBS) $(LIBSECCOMP_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(LIBURING_LIBS)
# For a program or test that uses parts of the daemon: prog_LDADD = $(DAEMON_LDADD)
DAEMON_LDADD = libdaemon.a libservice.a libgrammar.a libnetstack.la $(DAEMON_LIBS)

noinst_LIBRARIES += libdaemon.a
sbin_PROGRAMS += netstackd
netstackd_CPPFLAGS = $(NS_CPPFLAGS) -I$(srcdir)/daemon -DNETSTACKD_CONF='"$(sysconfdir)/netstackd/netstackd.conf"' $(DAEMON_CFLAGS)
netstackd_CFLAGS = $(AM_CFLAGS) -pthread
netstackd_LDFLAGS = $(AM_LDFLAGS) -pthread
netstackd_LDADD = $(DAEMON_LDADD)
netstackd_SOURCES = %reldir%/main.c

libdaemon_a_CPPFLAGS = $(netstackd_CPPFLAGS)
libdaemon_a_CFLAGS = $(netstackd_CFLAGS)
libdaemon_a_SOURCES =
libdaemon_a_SOURCES += %reldir%/apply.c
libdaemon_a_SOURCES += %reldir%/apply.h
libdaemon_a_SOURCES += %reldir%/config.c
libdaemon_a_SOURCES += %reldir%/config_file.h
libdaemon_a_SOURCES += %reldir%/control.c
libdaemon_a_SOURCES += %reldir%/control.h
libdaemon_a_SOURCES += %reldir%/daemon.h
libdaemon_a_SOURCES += %reldir%/diff.c
libdaemon_a_SOURCES += %reldir%/gather.c
libdaemon_a_SOURCES += %reldir%/gather.h
libdaemon_a_SOURCES += %reldir%/host_link.c
libdaemon_a_SOURCES += %reldir%/host_link.h
libdaemon_a_SOURCES += %reldir%/links.c
libdaemon_a_SOURCES += %reldir%/links.h
libdaemon_a_SOURCES += %reldir%/log.c
libdaemon_a_SOURCES += %reldir%/log.h
libdaemon_a_SOURCES += %reldir%/mailbox.c
libdaemon_a_SOURCES += %reldir%/mailbox.h
libdaemon_a_SOURCES += %reldir%/monitor.c
libdaemon_a_SOURCES += %reldir%/monitor.h
libdaemon_a_SOURCES += %reldir%/notify.c
libdaemon_a_SOURCES += %reldir%/notify.h
libdaemon_a_SOURCES += %reldir%/priv.c
libdaemon_a_SOURCES += %reldir%/priv.h
libdaemon_a_SOURCES += %reldir%/save.c
libdaemon_a_SOURCES += %reldir%/show.c
libdaemon_a_SOURCES += %reldir%/show.h
libdaemon_a_SOURCES += %reldir%/show_route.c
libdaemon_a_SOURCES += %reldir%/show_socket.c
libdaemon_a_SOURCES += %reldir%/state.c
libdaemon_a_SOURCES += %reldir%/state.h
libdaemon_a_SOURCES += %reldir%/status.c
libdaemon_a_SOURCES += %reldir%/status.h
libdaemon_a_SOURCES += %reldir%/tap.c
libdaemon_a_SOURCES += %reldir%/tap.h
libdaemon_a_SOURCES += %reldir%/tap_rw.c
libdaemon_a_SOURCES += %reldir%/tap_uring.c
libdaemon_a_SOURCES += %reldir%/tap_uring.h
libdaemon_a_SOURCES += %reldir%/vnet.c
libdaemon_a_SOURCES += %reldir%/vnet.h
libdaemon_a_SOURCES += %reldir%/worker.c
libdaemon_a_SOURCES += %reldir%/worker.h

# The built-in services and their pages: on the stack's sockets only, so they are a library of their own that tests link without the daemon.
noinst_LIBRARIES += libservice.a
libservice_a_CPPFLAGS = $(NS_CPPFLAGS) -I$(srcdir)/daemon $(ZLIB_CFLAGS)
libservice_a_SOURCES =
libservice_a_SOURCES += %reldir%/http_parse.c
libservice_a_SOURCES += %reldir%/http_parse.h
libservice_a_SOURCES += %reldir%/service.c
libservice_a_SOURCES += %reldir%/service.h
libservice_a_SOURCES += %reldir%/service_echo.c
libservice_a_SOURCES += %reldir%/service_http.c
libservice_a_SOURCES += %reldir%/service_inetd.c
libservice_a_SOURCES += %reldir%/service_priv.h
libservice_a_SOURCES += %reldir%/status_render.c
libservice_a_SOURCES += %reldir%/status_render.h
