"""Stories: what users do, and which errors they meet, on a real cluster with real containers."""
