"""The resources as users write them, and the contract between operator and worker."""

GROUP = "clustertrigger.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
