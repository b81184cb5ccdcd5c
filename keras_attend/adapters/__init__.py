"""Run this package's trackers under the protocols of other toolkits."""
