# The simulator; "make check" runs a short one, .ci/run the long ones.
check_PROGRAMS += %reldir%/sim
%canon_reldir%_sim_SOURCES = %reldir%/net.c %reldir%/net.h %reldir%/sim.c
%canon_reldir%_sim_LDADD = libtest.a libnetstack.la
TESTS += %reldir%/check-sim.sh
EXTRA_DIST += %reldir%/check-sim.sh
