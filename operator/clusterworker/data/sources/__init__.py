"""Where vectors come from: one interface, batches out, memory bounded by the batch."""
