"""A small Kubernetes client for the command: kubeconfig, credentials and requests.

The operator's client is not used, because it requires the Kubernetes library, which takes 126 MB, and the command must
need few libraries.
"""
