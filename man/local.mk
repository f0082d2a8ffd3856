# Man pages. Their lists of commands and tunables are checked against the tables by tests/golden/manual.sh.
dist_man_MANS += %reldir%/netstackd.8
dist_man_MANS += %reldir%/netstackd.conf.5
dist_man_MANS += %reldir%/nsctl.1
