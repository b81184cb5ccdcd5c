"""Where presets are fetched from: the Hugging Face Hub, and file servers."""
