"""A real Kubernetes cluster on any machine: kind if a Docker engine responds, Debian's packages otherwise."""
