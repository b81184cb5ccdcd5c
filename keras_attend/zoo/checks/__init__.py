"""What makes a stranger's preset harmless: checks of its files and of its classes."""
