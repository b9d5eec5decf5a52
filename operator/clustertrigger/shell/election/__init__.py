"""Which replica fires: one, as long as it holds the Lease."""
