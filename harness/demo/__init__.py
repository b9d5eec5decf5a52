"""`make demo`: from nothing to finished clusterings on a real cluster, and what came of them."""
