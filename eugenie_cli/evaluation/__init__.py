"""How good is a model on a site's own history? The served graph scores it; labels, if any, judge."""
