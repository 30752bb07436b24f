"""Kinds of charts as SVG; they know numbers and labels, and nothing of customers."""
