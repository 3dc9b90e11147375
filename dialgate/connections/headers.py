"""The headers that every answer has, whoever makes it."""

# It may hold personal data or a key, and its type must not be guessed.
HEADERS = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)
STATIC = b"/static/"  # Files of the pages: their addresses change with their content.
# Of these, as uvicorn holds them: browsers keep them.
KEPT_HEADERS = [
    (name.encode(), value.encode()) for name, value in HEADERS if name != "cache-control"
]
