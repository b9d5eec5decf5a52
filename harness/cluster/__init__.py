"""A real Kubernetes cluster on any machine: kind where a Docker engine answers, Debian's packages elsewhere."""
