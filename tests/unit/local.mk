# Unit tests: one Criterion program for each file; %reldir%/test_X is made from test_X.c. A test of the daemon or of nsctl says in a second line
# what else it is linked with: %canon_reldir%_test_X_LDADD = $(DAEMON_LDADD) $(CRITERION_LIBS), or $(CLI_LDADD) $(CRITERION_LIBS).
UNIT_TESTS =
UNIT_TESTS += %reldir%/test_bpf
UNIT_TESTS += %reldir%/test_checksum
UNIT_TESTS += %reldir%/test_cli
UNIT_TESTS += %reldir%/test_fib
UNIT_TESTS += %reldir%/test_frame
UNIT_TESTS += %reldir%/test_grammar
UNIT_TESTS += %reldir%/test_gso
UNIT_TESTS += %reldir%/test_hostile
UNIT_TESTS += %reldir%/test_http_parse
UNIT_TESTS += %reldir%/test_inet_hash
UNIT_TESTS += %reldir%/test_ip_fragment
UNIT_TESTS += %reldir%/test_ip_output
UNIT_TESTS += %reldir%/test_linkwatch
UNIT_TESTS += %reldir%/test_list
UNIT_TESTS += %reldir%/test_mailbox
UNIT_TESTS += %reldir%/test_neigh
UNIT_TESTS += %reldir%/test_netcfg
UNIT_TESTS += %reldir%/test_random
UNIT_TESTS += %reldir%/test_route
UNIT_TESTS += %reldir%/test_save
UNIT_TESTS += %reldir%/test_service
UNIT_TESTS += %reldir%/test_skbuff
UNIT_TESTS += %reldir%/test_sock
UNIT_TESTS += %reldir%/test_softnet
UNIT_TESTS += %reldir%/test_state
UNIT_TESTS += %reldir%/test_status
UNIT_TESTS += %reldir%/test_stream
UNIT_TESTS += %reldir%/test_sysctl
UNIT_TESTS += %reldir%/test_tap
UNIT_TESTS += %reldir%/test_tcp_batch
UNIT_TESTS += %reldir%/test_tcp_cong
UNIT_TESTS += %reldir%/test_tcp_hostile
UNIT_TESTS += %reldir%/test_tcp_ofo
UNIT_TESTS += %reldir%/test_tcp_options
UNIT_TESTS += %reldir%/test_tcp_sack
UNIT_TESTS += %reldir%/test_timer
UNIT_TESTS += %reldir%/test_veth
UNIT_TESTS += %reldir%/test_vnet

%canon_reldir%_test_bpf_LDADD = libtest.a libnetstack.la $(LIBPCAP_LIBS) $(CRITERION_LIBS)
%canon_reldir%_test_cli_LDADD = $(CLI_LDADD) $(CRITERION_LIBS)
%canon_reldir%_test_grammar_LDADD = libgrammar.a $(CRITERION_LIBS)
%canon_reldir%_test_http_parse_LDADD = libservice.a $(CRITERION_LIBS)
%canon_reldir%_test_mailbox_LDADD = $(DAEMON_LDADD) $(CRITERION_LIBS)
%canon_reldir%_test_save_LDADD = $(DAEMON_LDADD) $(CRITERION_LIBS)
%canon_reldir%_test_service_LDADD = libservice.a libtest.a libnetstack.la $(ZLIB_LIBS) $(CRITERION_LIBS)
%canon_reldir%_test_state_LDADD = $(DAEMON_LDADD) $(CRITERION_LIBS)
%canon_reldir%_test_status_LDADD = libservice.a libnetstack.la $(JANSSON_LIBS) $(CRITERION_LIBS)
%canon_reldir%_test_tcp_cong_LDADD = libtest.a libnetstack.la $(CRITERION_LIBS) -lm
%canon_reldir%_test_vnet_LDADD = $(DAEMON_LDADD) $(CRITERION_LIBS)

if HAVE_CRITERION
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
