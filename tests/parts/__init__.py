"""The real parts that tests talk to: servers and processes, started privately and stopped again."""
