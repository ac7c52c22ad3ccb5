"""Detection quality on public data, compared with every classical detector."""
