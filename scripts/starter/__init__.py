"""What `new-source` is made of: scan a folder, profile its columns, guess what they are, write the
adapter.
"""
