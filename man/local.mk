# Man pages: dist_man_MANS += %reldir%/NAME.SECTION
