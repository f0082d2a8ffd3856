# The tests. Every program prints TAP; tests/lib/run-test starts it. "make check" builds and runs unit, drill, sim, fuzz (replaying its corpus), thread and
# purity; what needs root, namespaces or a container (tests/netns, tests/boot) is started by .ci/run.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_COMPILER = $(SHELL) $(srcdir)/tests/lib/run-test
AM_LOG_DRIVER_FLAGS = --merge
TEST_EXTENSIONS = .sh
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(LOG_COMPILER)
AM_SH_LOG_DRIVER_FLAGS = --merge
AM_TESTS_ENVIRONMENT = \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	NM='$(NM)'; export NM; \
	INSTRUMENTED='$(NS_INSTRUMENTED)'; export INSTRUMENTED;

EXTRA_DIST += %reldir%/coverage.sh
EXTRA_DIST += %reldir%/demo.sh
EXTRA_DIST += %reldir%/ladder.sh
EXTRA_DIST += %reldir%/lib/run-test
EXTRA_DIST += %reldir%/lib/lsan.supp

# libtest.a: hosts, frames, drills. Linked by every test.
check_LIBRARIES += libtest.a
libtest_a_SOURCES =
libtest_a_SOURCES += %reldir%/lib/drill.c
libtest_a_SOURCES += %reldir%/lib/drill.h
libtest_a_SOURCES += %reldir%/lib/drill_config.c
libtest_a_SOURCES += %reldir%/lib/drill_priv.h
libtest_a_SOURCES += %reldir%/lib/drill_sock.c
libtest_a_SOURCES += %reldir%/lib/frame.c
libtest_a_SOURCES += %reldir%/lib/frame.h
libtest_a_SOURCES += %reldir%/lib/frame_build.c
libtest_a_SOURCES += %reldir%/lib/frame_parse.c
libtest_a_SOURCES += %reldir%/lib/frame_priv.h
libtest_a_SOURCES += %reldir%/lib/host.c
libtest_a_SOURCES += %reldir%/lib/host.h

include %reldir%/boot/local.mk
include %reldir%/golden/local.mk
include %reldir%/unit/local.mk
include %reldir%/drill/local.mk
include %reldir%/sim/local.mk
include %reldir%/fuzz/local.mk
include %reldir%/netns/local.mk
include %reldir%/thread/local.mk

TESTS += %reldir%/purity/check-purity.sh
EXTRA_DIST += %reldir%/purity/allowed.txt
EXTRA_DIST += %reldir%/purity/check-purity.sh
