# Under a real systemd, in a container: needs root; started by .ci/run.
dist_noinst_SCRIPTS += %reldir%/boot.sh
