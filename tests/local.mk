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
	NM='$(NM)'; export NM;

EXTRA_DIST += %reldir%/lib/run-test
EXTRA_DIST += %reldir%/lib/lsan.supp

include %reldir%/unit/local.mk
