"""clustertrigger-api: the HTTP API for cluster triggers and unified triggers.

It keeps no state. Kubernetes is the store, and every read and write of a trigger carries the caller's own token.
"""
