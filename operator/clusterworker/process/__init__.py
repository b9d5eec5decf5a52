"""The process around the work: a command, its child, limits, secrets, progress, and how it ends."""
