"""Generate the documentation site's pages from the repository."""
