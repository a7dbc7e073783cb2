"""What operators see on their pages: the overview, the event table, sessions with their runs, a run's trace."""
