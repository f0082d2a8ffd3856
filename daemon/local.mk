# netstackd: owns descriptors, clock, threads and privileges; decides nothing about a packet. All but main.c is libdaemon.a, which unit tests link too.
DAEMON_CFLAGS = $(LIBEVENT_CFLAGS) $(LIBNL_CFLAGS) $(LIBCAP_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(LIBSECCOMP_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) \
	$(LIBURING_CFLAGS)
DAEMON_LIBS = $(LIBEVENT_LIBS) $(LIBNL_LIBS) $(LIBCAP_LIBS) $(LIBSYSTEMD_LIBS) $(LIBSECCOMP_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(LIBURING_LIBS)
# For a program or test that uses parts of the daemon: prog_LDADD = $(DAEMON_LDADD)
DAEMON_LDADD = libdaemon.a libgrammar.a libnetstack.la $(DAEMON_LIBS)

# With daemon/main.c the two lines of the condition go away.
if HAVE_DAEMON
noinst_LIBRARIES += libdaemon.a
sbin_PROGRAMS += netstackd
endif
netstackd_CPPFLAGS = $(NS_CPPFLAGS) -I$(srcdir)/daemon $(DAEMON_CFLAGS)
netstackd_CFLAGS = $(AM_CFLAGS) -pthread
netstackd_LDFLAGS = $(AM_LDFLAGS) -pthread
netstackd_LDADD = $(DAEMON_LDADD)
netstackd_SOURCES = %reldir%/main.c

libdaemon_a_CPPFLAGS = $(netstackd_CPPFLAGS)
libdaemon_a_CFLAGS = $(netstackd_CFLAGS)
libdaemon_a_SOURCES =
