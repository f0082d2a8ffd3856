# Drills: behaviour as tables (tests/lib/drill.h says how rows are written). %reldir%/test_X is made from test_X.c.
DRILL_TESTS =
DRILL_TESTS += %reldir%/test_arp
DRILL_TESTS += %reldir%/test_icmp
DRILL_TESTS += %reldir%/test_icmp_error
DRILL_TESTS += %reldir%/test_ip_forward
DRILL_TESTS += %reldir%/test_ip_fragment
DRILL_TESTS += %reldir%/test_ip_input
DRILL_TESTS += %reldir%/test_ip_options
DRILL_TESTS += %reldir%/test_loopback
DRILL_TESTS += %reldir%/test_neigh
DRILL_TESTS += %reldir%/test_taps
DRILL_TESTS += %reldir%/test_tcp_close
DRILL_TESTS += %reldir%/test_tcp_loss
DRILL_TESTS += %reldir%/test_tcp_open
DRILL_TESTS += %reldir%/test_tcp_options
DRILL_TESTS += %reldir%/test_tcp_recv
DRILL_TESTS += %reldir%/test_tcp_send
DRILL_TESTS += %reldir%/test_udp

if HAVE_CRITERION
check_PROGRAMS += $(DRILL_TESTS)
TESTS += $(DRILL_TESTS)
endif

EXTRA_DIST += %reldir%/COVERAGE.md
EXTRA_DIST += %reldir%/tcp_rows.h
