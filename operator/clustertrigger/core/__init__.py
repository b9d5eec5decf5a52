"""Makes all decisions that need no I/O: no clock, no network, no logging."""
