"""How one speaks with the Kubernetes API server, with whatever client: where objects are, and what answers say."""
