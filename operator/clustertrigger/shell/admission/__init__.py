"""The admission webhook: how API servers reach it, and who created what it admitted."""
