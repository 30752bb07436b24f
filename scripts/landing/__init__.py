"""From a company's files and relations into `raw`: adapters, reading, mapping, row rules, landing."""
