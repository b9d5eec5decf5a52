"""ClusterTrigger: a Kubernetes operator that clusters embeddings on a schedule, on events or on drift, exactly once."""

__version__ = "0.1.0"
