"""What Great Expectations checks at the two borders of the warehouse: what suppliers send, and what readers
get.
"""
