# Tests of the real daemon in network namespaces: bash scripts that print TAP (lib.sh), started by tests/ladder.sh with one and two workers.
check_PROGRAMS += %reldir%/relay
%canon_reldir%_relay_SOURCES = %reldir%/relay.c
%canon_reldir%_relay_LDADD =
EXTRA_DIST += %reldir%/bulk.sh
EXTRA_DIST += %reldir%/bytes.py
EXTRA_DIST += %reldir%/end.sh
EXTRA_DIST += %reldir%/host.sh
EXTRA_DIST += %reldir%/hostile.py
EXTRA_DIST += %reldir%/hostile.sh
EXTRA_DIST += %reldir%/idle.sh
EXTRA_DIST += %reldir%/lib.sh
EXTRA_DIST += %reldir%/links.sh
EXTRA_DIST += %reldir%/lossy.sh
EXTRA_DIST += %reldir%/router.sh
EXTRA_DIST += %reldir%/smoke.sh
EXTRA_DIST += %reldir%/tcp_mix.py
EXTRA_DIST += %reldir%/tcp_mix.sh
