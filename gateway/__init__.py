"""The gateway: one call in, three models asked, one answer out."""
