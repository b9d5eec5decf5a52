"""Elects the replica that fires: it fires as long as it holds the Lease."""
