"""ACME's rules for bindoctor, one a file."""
