# nsctl: the words a person types and the tables a person reads. All but main.c is libnsctl.a, which unit tests link too.
CLI_LDADD = libnsctl.a libgrammar.a libnetstack.la $(JANSSON_LIBS)

# With cli/main.c the two lines of the condition go away.
if HAVE_CLI
noinst_LIBRARIES += libnsctl.a
bin_PROGRAMS += nsctl
endif
nsctl_CPPFLAGS = $(NS_CPPFLAGS) -I$(srcdir)/cli $(JANSSON_CFLAGS)
nsctl_LDADD = $(CLI_LDADD)
nsctl_SOURCES = %reldir%/main.c

libnsctl_a_CPPFLAGS = $(nsctl_CPPFLAGS)
libnsctl_a_SOURCES =
