"""Forget a customer, everywhere, and prove it."""
