"""HTTP for others: connections and turns are shared among their sources, and the probes are answered."""
