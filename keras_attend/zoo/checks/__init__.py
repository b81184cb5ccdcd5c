"""Check the files and classes of a preset before they can do harm."""
