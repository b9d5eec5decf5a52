"""The Kubernetes API server: requests, lists, watches and leases."""
