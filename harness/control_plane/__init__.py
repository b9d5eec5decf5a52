"""Runs a real API server without nodes for tests of the operator, with a simulated kubelet, a proxy and a sandbox."""
