"""A real API server without nodes, and what tests put around the operator on it: a kubelet, a proxy, a sandbox."""
