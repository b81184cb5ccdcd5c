"""Videos that are drawn."""
