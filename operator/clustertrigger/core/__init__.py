"""Everything that can be decided without I/O: no clock, no network, no logging."""
