"""The published figures and tables, one a file."""
