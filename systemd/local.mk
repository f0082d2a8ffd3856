# Units, sysusers and tmpfiles. The folders are those of configure; the unit names the programs where they are installed.
dist_sysusers_DATA =
dist_tmpfiles_DATA =
systemdsystemunit_DATA =
systemdsystemunit_DATA += %reldir%/netstackd.service
systemdsystemunit_DATA += %reldir%/netstackd.socket
EXTRA_DIST += %reldir%/netstackd.service.in
EXTRA_DIST += %reldir%/netstackd.socket
EXTRA_DIST += %reldir%/netstackd.sysusers.conf
EXTRA_DIST += %reldir%/netstackd.tmpfiles.conf
CLEANFILES += %reldir%/netstackd.service

%reldir%/netstackd.service: $(srcdir)/%reldir%/netstackd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %reldir% && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' $(srcdir)/%reldir%/netstackd.service.in >$@.tmp && mv $@.tmp $@

# Both are called netstackd.conf where they go, as is the configuration, of which a present one is never overwritten.
netstackdconfdir = $(sysconfdir)/netstackd
install-data-local: install-netstackd-conf
uninstall-local: uninstall-netstackd-conf
.PHONY: install-netstackd-conf uninstall-netstackd-conf
install-netstackd-conf:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)' '$(DESTDIR)$(netstackdconfdir)'
	$(INSTALL_DATA) $(srcdir)/%reldir%/netstackd.sysusers.conf '$(DESTDIR)$(sysusersdir)/netstackd.conf'
	$(INSTALL_DATA) $(srcdir)/%reldir%/netstackd.tmpfiles.conf '$(DESTDIR)$(tmpfilesdir)/netstackd.conf'
	test -f '$(DESTDIR)$(netstackdconfdir)/netstackd.conf' || \
		$(INSTALL_DATA) $(srcdir)/conf/netstackd.conf '$(DESTDIR)$(netstackdconfdir)/netstackd.conf'
uninstall-netstackd-conf:
	rm -f '$(DESTDIR)$(sysusersdir)/netstackd.conf' '$(DESTDIR)$(tmpfilesdir)/netstackd.conf'
	if cmp -s $(srcdir)/conf/netstackd.conf '$(DESTDIR)$(netstackdconfdir)/netstackd.conf'; then \
		rm -f '$(DESTDIR)$(netstackdconfdir)/netstackd.conf'; fi
