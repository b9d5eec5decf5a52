"""The ground under tests, stories and benches: clusters, images, Helm, servers, control planes and the demo."""
