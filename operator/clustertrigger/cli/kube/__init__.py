"""A small Kubernetes client for the command: kubeconfig, credentials and requests.

The operator's client is not used here: it needs the Kubernetes library, which takes 126 MB, and the command is to
install with few libraries.
"""
