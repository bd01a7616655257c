"""The rules that bindoctor ships, one a file."""
