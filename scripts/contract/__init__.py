"""What is agreed with suppliers: the raw tables, and how far their data may drift."""
