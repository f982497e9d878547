"""The chart's workshop: Helm itself, the table of values, the schemas of what it renders."""
