"""Small rooms to copy and start from: /examples/ shows them, urls.py says what belongs to which."""
