# libgrammar.a: the one grammar, linked by the daemon and by nsctl; not installed.
noinst_LIBRARIES += libgrammar.a
libgrammar_a_CPPFLAGS = $(NS_CPPFLAGS)
libgrammar_a_SOURCES =
libgrammar_a_SOURCES += %reldir%/control_proto.h
libgrammar_a_SOURCES += %reldir%/grammar.c
libgrammar_a_SOURCES += %reldir%/grammar.h
libgrammar_a_SOURCES += %reldir%/grammar_format.c
libgrammar_a_SOURCES += %reldir%/grammar_help.c
libgrammar_a_SOURCES += %reldir%/grammar_ids.h
libgrammar_a_SOURCES += %reldir%/grammar_priv.h
libgrammar_a_SOURCES += %reldir%/grammar_table.c
libgrammar_a_SOURCES += %reldir%/grammar_text.c
libgrammar_a_SOURCES += %reldir%/grammar_value.c
EXTRA_DIST += %reldir%/netstackd.conf
EXTRA_DIST += %reldir%/examples/host.conf
EXTRA_DIST += %reldir%/examples/router.conf
EXTRA_DIST += %reldir%/examples/workers.conf
