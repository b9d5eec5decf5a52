"""Stories: what users do, and what goes wrong for them, told on a real cluster with real containers."""
