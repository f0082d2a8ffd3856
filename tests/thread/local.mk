# What threads hand to each other. Plain programs that print TAP, because Criterion does not start under gcc's TSan. "make check-threads" in a build with
# --with-sanitizer=thread runs these alone.
THREAD_TESTS =
THREAD_TESTS += %reldir%/test_steer_threads
THREAD_TESTS += %reldir%/test_threads
check_PROGRAMS += $(THREAD_TESTS)
TESTS += $(THREAD_TESTS)

%canon_reldir%_test_steer_threads_CFLAGS = $(AM_CFLAGS) -pthread
%canon_reldir%_test_steer_threads_LDFLAGS = $(AM_LDFLAGS) -pthread
%canon_reldir%_test_steer_threads_LDADD = libdaemon.a libnetstack.la

%canon_reldir%_test_threads_CFLAGS = $(AM_CFLAGS) -pthread
%canon_reldir%_test_threads_LDFLAGS = $(AM_LDFLAGS) -pthread
%canon_reldir%_test_threads_LDADD = libdaemon.a libnetstack.la

.PHONY: check-threads
check-threads:
	$(MAKE) $(THREAD_TESTS)
	$(MAKE) check-TESTS TESTS='$(THREAD_TESTS)'
