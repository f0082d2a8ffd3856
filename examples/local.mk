# Programs that use nothing but the installed headers of libnetstack.
if HAVE_STACK
check_PROGRAMS += %reldir%/twostacks
%canon_reldir%_twostacks_CPPFLAGS = -D_DEFAULT_SOURCE -I$(srcdir)/stack/include
%canon_reldir%_twostacks_LDADD = libnetstack.la
TESTS += %reldir%/check-example.sh
endif
EXTRA_DIST += %reldir%/check-example.sh
dist_doc_DATA += %reldir%/twostacks.c
