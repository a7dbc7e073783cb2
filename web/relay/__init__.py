"""The relay: a process that serves open feeds whose sockets web processes have handed over. No Flask."""
