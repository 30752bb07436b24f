"""The report of a publication: one page in each language, drawn from its marts, complete in itself."""
