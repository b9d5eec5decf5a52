"""Apache Spark on Kubernetes: the only place that knows PySpark, which runs with engine local neither have nor load."""
