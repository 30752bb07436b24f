"""`python -m scripts benchmark`: what a night costs at a size, beside what the same answers cost otherwise.

Not part of a night. Nothing here is asserted by a timed test: a time on a busy machine means little, so all
is told as a ratio to a floor that was measured in the same run.
"""
