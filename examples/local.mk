# Programs that use nothing but the installed headers of libnetstack.
check_PROGRAMS += %reldir%/twostacks
%canon_reldir%_twostacks_CPPFLAGS = -D_DEFAULT_SOURCE -I$(srcdir)/stack/include
%canon_reldir%_twostacks_LDADD = libnetstack.la
TESTS += %reldir%/check-example.sh
EXTRA_DIST += %reldir%/check-example.sh
dist_doc_DATA += %reldir%/twostacks.c
