# Drills: behaviour as tables (tests/lib/drill.h says how rows are written). %reldir%/test_X is made from test_X.c.
DRILL_TESTS =
DRILL_TESTS += %reldir%/test_icmp
DRILL_TESTS += %reldir%/test_udp

if HAVE_CRITERION
check_PROGRAMS += $(DRILL_TESTS)
TESTS += $(DRILL_TESTS)
endif
