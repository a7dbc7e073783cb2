"""The live feed, a thread a connection: the process's one subscription, catching up, the socket. No Flask."""
