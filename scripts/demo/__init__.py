"""The demo company: a shop with subscriptions whose history is drawn from known processes.

Every number a mart should find is planted and written down beside the data, so the demo is a tutorial, a
benchmark and a test at once. `company.generate` draws the company, `deliveries.write_company` writes it as
its systems would export it.
"""
