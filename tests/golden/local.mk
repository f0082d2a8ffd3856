# Golden outputs: nsctl against a daemon that answers from a file.
check_PROGRAMS += %reldir%/fake_daemon
TESTS += %reldir%/nsctl.sh
%canon_reldir%_fake_daemon_SOURCES = %reldir%/fake_daemon.c
%canon_reldir%_fake_daemon_LDADD =
EXTRA_DIST += %reldir%/nsctl.sh
EXTRA_DIST += %reldir%/nsctl.txt
EXTRA_DIST += %reldir%/answers.txt
