"""The Kubernetes API server: its paths, connections to it, who we are to it, requests and lists."""
