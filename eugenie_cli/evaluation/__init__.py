"""Judges a model on a site's own history: the served graph scores the rows, and labels, if any, judge the scores."""
