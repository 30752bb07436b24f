"""The salt of the hashes, the list of forgotten customers, and the search for what is left of them."""
