"""Defines what all clients of the Kubernetes API server need: paths of objects, and the meaning of responses."""
