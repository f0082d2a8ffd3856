# Fuzz programs: fuzz_X.c has LLVMFuzzerTestOneInput. With --enable-fuzzing (clang) they are libFuzzer's; otherwise driver.c replays and changes files.
# A new one: a line in FUZZ_TESTS, its _SOURCES, _LDADD and _LDFLAGS as below, a directory corpus-X with at least one file, a line in check-fuzz.sh's list.
FUZZ_TESTS =
FUZZ_TESTS += %reldir%/fuzz_bpf
FUZZ_TESTS += %reldir%/fuzz_ebpf
FUZZ_TESTS += %reldir%/fuzz_frame
FUZZ_TESTS += %reldir%/fuzz_grammar
FUZZ_TESTS += %reldir%/fuzz_gro
FUZZ_TESTS += %reldir%/fuzz_sock
FUZZ_TESTS += %reldir%/fuzz_http
FUZZ_TESTS += %reldir%/fuzz_netlink
FUZZ_LINK = $(AM_LDFLAGS) $(NS_FUZZ_LDFLAGS)
if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = libfuzzmain.a
endif
check_LIBRARIES += libfuzzmain.a
libfuzzmain_a_SOURCES = %reldir%/driver.c
check_PROGRAMS += $(FUZZ_TESTS)

%canon_reldir%_fuzz_bpf_LDADD = $(FUZZ_MAIN) libnetstack.la $(LIBPCAP_LIBS)
%canon_reldir%_fuzz_bpf_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_ebpf_LDADD = $(FUZZ_MAIN) $(DAEMON_LDADD)
%canon_reldir%_fuzz_ebpf_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_frame_LDADD = $(FUZZ_MAIN) libtest.a libnetstack.la
%canon_reldir%_fuzz_frame_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_sock_LDADD = $(FUZZ_MAIN) libtest.a libnetstack.la
%canon_reldir%_fuzz_sock_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_gro_LDADD = $(FUZZ_MAIN) libtest.a libnetstack.la
%canon_reldir%_fuzz_gro_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_grammar_LDADD = $(FUZZ_MAIN) libgrammar.a libnetstack.la
%canon_reldir%_fuzz_grammar_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_http_LDADD = $(FUZZ_MAIN) libservice.a libnetstack.la
%canon_reldir%_fuzz_http_LDFLAGS = $(FUZZ_LINK)
%canon_reldir%_fuzz_netlink_CPPFLAGS = $(netstackd_CPPFLAGS)
%canon_reldir%_fuzz_netlink_LDADD = $(FUZZ_MAIN) $(DAEMON_LDADD)
%canon_reldir%_fuzz_netlink_LDFLAGS = $(FUZZ_LINK) -pthread

if !FUZZING
TESTS += %reldir%/check-fuzz.sh
endif
EXTRA_DIST += %reldir%/check-fuzz.sh
EXTRA_DIST += %reldir%/corpus-bpf
EXTRA_DIST += %reldir%/corpus-ebpf
EXTRA_DIST += %reldir%/corpus-frame
EXTRA_DIST += %reldir%/corpus-grammar
EXTRA_DIST += %reldir%/corpus-gro
EXTRA_DIST += %reldir%/corpus-sock
EXTRA_DIST += %reldir%/corpus-http
EXTRA_DIST += %reldir%/corpus-netlink
