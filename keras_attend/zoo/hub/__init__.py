"""Fetch presets from the Hugging Face Hub and from file servers."""
