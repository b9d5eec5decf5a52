"""What runs on a real cluster or a real control plane in full: the stories, the faults and the images."""
