"""Looks at sample exports, and proposes the sources of a site file that read them."""
