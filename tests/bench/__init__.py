"""Speed, as ratios inside one interleaved run: ``python -m tests.bench``. Nothing here is a timed test."""
