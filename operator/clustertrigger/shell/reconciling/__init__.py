"""One trigger at a time: when its turn is, what was decided, and carrying that out."""
