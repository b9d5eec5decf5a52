"""What the worker does for each action, one command per file; `clusterworker.__main__` lists them."""
