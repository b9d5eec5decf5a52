"""ClusterTrigger: a Kubernetes operator that fires clusterings of embeddings at the right moment, exactly once."""

__version__ = "0.1.0"
