# nsctl: the words a person types and the tables a person reads. All but main.c is libnsctl.a, which unit tests link too.
CLI_LDADD = libnsctl.a libgrammar.a libnetstack.la $(JANSSON_LIBS) $(LIBPCAP_LIBS)

noinst_LIBRARIES += libnsctl.a
bin_PROGRAMS += nsctl
nsctl_CPPFLAGS = $(NS_CPPFLAGS) -I$(srcdir)/cli $(JANSSON_CFLAGS) $(LIBPCAP_CFLAGS)
nsctl_LDADD = $(CLI_LDADD)
nsctl_SOURCES = %reldir%/main.c

libnsctl_a_CPPFLAGS = $(nsctl_CPPFLAGS)
libnsctl_a_SOURCES =
libnsctl_a_SOURCES += %reldir%/capture.c
libnsctl_a_SOURCES += %reldir%/client.c
libnsctl_a_SOURCES += %reldir%/client.h
libnsctl_a_SOURCES += %reldir%/complete.c
libnsctl_a_SOURCES += %reldir%/filter.c
libnsctl_a_SOURCES += %reldir%/format.c
libnsctl_a_SOURCES += %reldir%/format.h
libnsctl_a_SOURCES += %reldir%/monitor.c
libnsctl_a_SOURCES += %reldir%/monitor.h
libnsctl_a_SOURCES += %reldir%/nsctl.c
libnsctl_a_SOURCES += %reldir%/nsctl.h
libnsctl_a_SOURCES += %reldir%/packet_text.c
libnsctl_a_SOURCES += %reldir%/packets.h
libnsctl_a_SOURCES += %reldir%/pcapng_read.c
libnsctl_a_SOURCES += %reldir%/save.c
libnsctl_a_SOURCES += %reldir%/show.h
libnsctl_a_SOURCES += %reldir%/show_link.c
libnsctl_a_SOURCES += %reldir%/show_misc.c
libnsctl_a_SOURCES += %reldir%/show_route.c
libnsctl_a_SOURCES += %reldir%/show_socket.c
libnsctl_a_SOURCES += %reldir%/show_softnet.c
libnsctl_a_SOURCES += %reldir%/show_xdp.c
libnsctl_a_SOURCES += %reldir%/xdp.c

dist_bashcompletion_DATA += %reldir%/completion/nsctl
