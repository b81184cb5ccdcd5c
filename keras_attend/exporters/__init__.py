"""What `keras_attend.export` is made of: what is traced, and a file a format."""
