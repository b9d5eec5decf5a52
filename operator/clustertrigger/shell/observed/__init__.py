"""What is known of the cluster, kept up to date by watches."""
