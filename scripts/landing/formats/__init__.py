"""The formats that are read: one module each, and `registry.py`, which lists them."""
