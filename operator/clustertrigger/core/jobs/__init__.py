"""Jobs: what they are called, what they are made of, and what the cluster shows of them."""
