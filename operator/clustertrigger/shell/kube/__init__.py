"""Connects to the Kubernetes API server: paths, connections, credentials, requests and lists."""
