"""What a completed run's folder holds, whichever algorithm and wherever it lies."""

RESULT_FILES = (
    "baseline.npz",
    "centroids.parquet",
    "lineage.parquet",
    "map.parquet",
    "members.parquet",
    "metrics.json",
    "report.html",
    "report.png",
    "run.json",
    "spec.json",
)
"""In order of their names."""
LAYOUT = "layout.parquet"
"""In that folder, too, where the run reduced the vectors: the next run's layout starts from it."""
