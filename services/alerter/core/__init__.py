"""What becomes a task, for whom and until when. Pure: no clock, no I/O, no framework."""
