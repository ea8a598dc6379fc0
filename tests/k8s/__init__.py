"""What stands below k8s/ fits the code."""
