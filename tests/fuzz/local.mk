# Fuzz programs: fuzz_X.c has LLVMFuzzerTestOneInput. With --enable-fuzzing (clang) they are libFuzzer's; otherwise driver.c replays and changes files.
# A new one: a line in FUZZ_PROGRAMS, its _SOURCES, _LDADD and _LDFLAGS as below, a directory corpus-X with at least one file, a line in check-fuzz.sh's list.
FUZZ_PROGRAMS =
FUZZ_PROGRAMS += %reldir%/fuzz_frame
FUZZ_PROGRAMS += %reldir%/fuzz_grammar
FUZZ_LDFLAGS = $(AM_LDFLAGS) $(NS_FUZZ_LDFLAGS)
if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = libfuzzmain.a
endif
check_LIBRARIES += libfuzzmain.a
libfuzzmain_a_SOURCES = %reldir%/driver.c
check_PROGRAMS += $(FUZZ_PROGRAMS)

%canon_reldir%_fuzz_frame_LDADD = $(FUZZ_MAIN) libtest.a libnetstack.la
%canon_reldir%_fuzz_frame_LDFLAGS = $(FUZZ_LDFLAGS)
%canon_reldir%_fuzz_grammar_LDADD = $(FUZZ_MAIN) libgrammar.a libnetstack.la
%canon_reldir%_fuzz_grammar_LDFLAGS = $(FUZZ_LDFLAGS)

if !FUZZING
TESTS += %reldir%/check-fuzz.sh
endif
EXTRA_DIST += %reldir%/check-fuzz.sh
EXTRA_DIST += %reldir%/corpus-frame
EXTRA_DIST += %reldir%/corpus-grammar
