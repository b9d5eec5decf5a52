"""Runs a real API server without nodes, and what tests of the operator need: a kubelet, a proxy, a sandbox."""
