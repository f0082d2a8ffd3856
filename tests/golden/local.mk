# Golden outputs: nsctl against a daemon that answers from a file; the manual's lists against the tables.
check_PROGRAMS += %reldir%/fake_daemon
check_PROGRAMS += %reldir%/print_sysctls
TESTS += %reldir%/manual.sh
TESTS += %reldir%/nsctl.sh
%canon_reldir%_fake_daemon_SOURCES = %reldir%/fake_daemon.c
%canon_reldir%_fake_daemon_LDADD =
%canon_reldir%_print_sysctls_SOURCES = %reldir%/print_sysctls.c
%canon_reldir%_print_sysctls_LDADD = libnetstack.la
EXTRA_DIST += %reldir%/answers.txt
EXTRA_DIST += %reldir%/manual.sh
EXTRA_DIST += %reldir%/nsctl.sh
EXTRA_DIST += %reldir%/nsctl.txt
