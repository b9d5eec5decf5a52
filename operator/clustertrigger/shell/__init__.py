"""I/O: gathers what decisions need, and carries them out."""
