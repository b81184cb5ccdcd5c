"""One core for every benchmark, and their tables at the end of the run."""

import os

# Before any framework is imported: each sizes its thread pools by what it may use.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_terminal_summary(terminalreporter):
    """Show what the benchmarks that passed have printed: their tables of ratios."""
    reports = terminalreporter.stats.get("passed", [])
    tables = [r.capstdout for r in reports if r.when == "call" and r.capstdout]
    if tables:
        terminalreporter.section("ratios")
        terminalreporter.write("".join(tables) + "\n")
