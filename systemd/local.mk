# Units, sysusers and tmpfiles: systemdsystemunit_DATA, sysusers_DATA, tmpfiles_DATA; what has @variables@ goes through AC_CONFIG_FILES.
dist_sysusers_DATA =
dist_tmpfiles_DATA =
systemdsystemunit_DATA =
