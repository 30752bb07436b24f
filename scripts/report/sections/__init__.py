"""One module for each section: what it asks, and how it is drawn."""
