"""Faults on purpose: kills at any point of the night, a full disk, readers at work. `python -m tests.faults`.

Here and not in tests/python because it is a command that runs as long as it is told to; the tests take a
short fixed set from it (`tests/python/test_faults.py`).
"""
