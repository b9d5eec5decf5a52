"""Defines the resources as users write them, and their status."""

GROUP = "clustertrigger.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
