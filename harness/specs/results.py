"""Lists the files of a completed run's folder, for every algorithm and storage."""

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
"""Files in the order of their names."""
LAYOUT = "layout.parquet"
"""Additional files of a run that reduced the vectors, because the next run's layout starts from them."""
