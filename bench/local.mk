# What is measured, and how (README.md): bench/run does it. A benchmark never fails a test run; "make bench" builds the programs and takes the figures.
noinst_PROGRAMS += bench/fib
noinst_PROGRAMS += bench/icount bench/limit/flood bench/limit/responder bench/limit/tapcopy bench/limit/tcpbulk

bench_fib_SOURCES = %reldir%/fib.c
bench_fib_LDADD = libnetstack.la
bench_icount_SOURCES = %reldir%/icount.c
bench_icount_LDADD = libnetstack.la
bench_limit_flood_SOURCES = %reldir%/limit/flood.c %reldir%/limit/util.h
bench_limit_flood_LDADD =
bench_limit_responder_SOURCES = %reldir%/limit/responder.c %reldir%/limit/util.h
bench_limit_responder_LDADD =
bench_limit_tapcopy_SOURCES = %reldir%/limit/tapcopy.c %reldir%/limit/util.h
bench_limit_tapcopy_CPPFLAGS = $(LIBURING_CFLAGS)
bench_limit_tapcopy_CFLAGS = $(AM_CFLAGS) -pthread
bench_limit_tapcopy_LDADD = $(LIBURING_LIBS) -lpthread
bench_limit_tcpbulk_SOURCES = %reldir%/limit/tcpbulk.c %reldir%/limit/util.h
bench_limit_tcpbulk_LDADD =

dist_noinst_SCRIPTS += %reldir%/run
EXTRA_DIST += %reldir%/README.md

.PHONY: bench
bench: all
	$(srcdir)/bench/run --build $(abs_top_builddir)
