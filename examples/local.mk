# Programs that use nothing but the installed headers of libnetstack.
