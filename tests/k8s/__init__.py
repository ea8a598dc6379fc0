"""What is below k8s/ fits the code."""
