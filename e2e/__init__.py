"""What runs on a real cluster: the cluster itself, the images, the demo and the stories."""
